"""Many flows, one after the other, against a local_sops of their own."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING
from unittest import mock

from airflow.utils.db import initdb

from tests.differential.drawing import draw
from tests.differential.expectation import Fate
from tests.differential.native_run import run_natively
from tests.differential.plain_sops import PlainSops
from tests.differential.probing_sops import run_probing_sops
from tests.differential.trial import compare, compare_natively, run_directly
from tests.differential.watched_run import run_here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def run(
    seed: int,
    numbers: Sequence[int],
    *,
    most_nodes: int,
    mapped: bool,
    command: str,
    folder: Path,
    tell: Callable[[str], None],
) -> tuple[str, bool]:
    """Compare the trees of these numbers; return the line that sums it up, and whether anything differed.

    :param mapped: whether the flows are in mapped task groups.
    :param tell: takes lines to print: each difference, and now and then how far it is.
    """
    begun = time.monotonic()
    initdb()
    fates: Counter[Fate] = Counter()
    found = 0
    with run_probing_sops(command, folder) as local_sops, PlainSops(local_sops) as sops:
        connection = {"AIRFLOW_CONN_SOPS_DEFAULT": local_sops.connection_json()}
        with mock.patch.dict(os.environ, connection):
            for done, number in enumerate(numbers, start=1):
                expected, differences = _compared(seed, number, most_nodes, sops, mapped=mapped)
                fates.update(expected)
                found += len(differences)
                for difference in differences:
                    tell(f"--seed {seed} --only {number}: {difference}")
                if done % 10 == 0:
                    tell(f"{done} of {len(numbers)} trees, {time.monotonic() - begun:.0f} s, {found} differences")
    parts = ", ".join(f"{fates[fate]} {fate}" for fate in Fate)
    seconds = time.monotonic() - begun
    summary = f"{len(numbers)} trees, {fates.total()} nodes, {found} differences"
    return f"{summary} (nodes: {parts}; seed {seed}, {seconds:.0f} s)", found > 0


def _compared(
    seed: int, number: int, most_nodes: int, sops: PlainSops, *, mapped: bool
) -> tuple[list[Fate], Sequence[str]]:
    try:
        direct = run_directly(draw(seed, number, most_nodes=most_nodes), sops)
        trial = compare(direct, run_here(direct.drawn, direct.template_id, mapped=mapped), sops)
        native = compare_natively(direct, run_natively(direct.drawn, direct.template_id, mapped=mapped), sops)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return [], [f"it cannot be compared: {type(error).__name__}: {error}"]
    found = [*(f"watched: {text}" for text in trial.differences), *(f"native: {text}" for text in native)]
    return [expected.fate for expected in trial.expected.values()], found

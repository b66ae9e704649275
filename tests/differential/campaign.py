"""Many flows, one after the other, against a local_sops of their own."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow.utils.db import initdb

from tests.aged_sops import is_at_least
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
    age: str,
    mapped: bool = False,
    folder: Path,
    tell: Callable[[str], None],
) -> tuple[str, bool]:
    """Compare the trees of these numbers; return the line that sums it up, and whether anything differed.

    :param age: of the SOPS.
    :param mapped: whether the flows are in mapped task groups.
    :param tell: takes lines to print: each difference, and now and then how far it is.
    """
    begun = time.monotonic()
    initdb()
    fates: Counter[Fate] = Counter()
    found = 0
    with run_probing_sops(folder, age) as probing, PlainSops(probing.sops, probing.templates) as sops:
        connection = {"AIRFLOW_CONN_SOPS_DEFAULT": probing.sops.connection_json()}
        with mock.patch.dict(os.environ, connection):
            for done, number in enumerate(numbers, start=1):
                expected, differences = _compared(seed, number, most_nodes, sops, age, mapped=mapped)
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
    seed: int, number: int, most_nodes: int, sops: PlainSops, age: str, *, mapped: bool
) -> tuple[list[Fate], Sequence[str]]:
    try:
        drawn = draw(seed, number, most_nodes=most_nodes)
        if not is_at_least(age, "3.25"):
            _forget_automatic_retries(drawn.tree)
        direct = run_directly(drawn, sops)
        if not is_at_least(age, "2020"):
            # Its trees have another shape, in which people have their snapshots.
            drawn = replace(direct.drawn, tree=sops.template_tree(direct.template_id))
            direct = replace(direct, drawn=drawn)
        trial = compare(direct, run_here(direct.drawn, direct.template_id, mapped=mapped), sops)
        native: Sequence[str] = ()
        # A SOPS of 2019 takes no tree of its own, which native mode lives on.
        if is_at_least(age, "2020"):
            native = compare_natively(direct, run_natively(direct.drawn, direct.template_id, mapped=mapped), sops)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return [], [f"it cannot be compared: {type(error).__name__}: {error}"]
    found = [*(f"watched: {text}" for text in trial.differences), *(f"native: {text}" for text in native)]
    return [expected.fate for expected in trial.expected.values()], found


def _forget_automatic_retries(tree: Any) -> None:
    """Take from a tree what a SOPS before 3.13 does not know, so that nobody has it in a template there."""
    for activity in tree["activities"].values():
        activity.pop("auto_retry", None)
        if "pipeline" in activity:
            _forget_automatic_retries(activity["pipeline"])

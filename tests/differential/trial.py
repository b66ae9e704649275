"""One flow, run by SOPS alone and in each way that Airflow can, and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.differential.comparison import differences
from tests.differential.expectation import expect
from tests.differential.native_comparison import native_differences
from tests.differential.plain_sops import PlainSops, RefusedError
from tests.differential.sops_run import read_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.differential.drawing import Drawn
    from tests.differential.expectation import Expected
    from tests.differential.native_run import NativeRun
    from tests.differential.sops_run import Key
    from tests.differential.watched_run import WatchedRun


@dataclass(frozen=True)
class Direct:
    """A flow that was started in SOPS, with nobody watching."""

    drawn: Drawn
    template_id: int
    sops_task_id: int


@dataclass(frozen=True)
class Trial:
    """The outcome of comparing one flow."""

    expected: Mapping[Key, Expected]
    differences: tuple[str, ...]


def run_directly(drawn: Drawn, sops: PlainSops) -> Direct:
    """Make a template of a flow and start a task of it."""
    template_id = sops.create_template(drawn.name, drawn.tree)
    try:
        task_id = sops.create_task(template_id, drawn.name, drawn.excluded)
    except RefusedError:
        # Without its nodes a gateway may be left in a place where SOPS allows none.
        drawn = replace(drawn, excluded=())
        task_id = sops.create_task(template_id, drawn.name, ())
    sops.start_task(task_id)
    return Direct(drawn, template_id, task_id)


def compare(direct: Direct, watched: WatchedRun, sops: PlainSops) -> Trial:
    """Wait for the end of the direct run, and compare it with the one that was watched."""
    direct_run = read_run(sops, direct.sops_task_id)
    expected = expect(direct_run, direct.drawn.tree)
    found = differences(expected, direct_run, watched, read_run(sops, watched.sops_task_id))
    return Trial(expected, tuple(found))


def compare_natively(direct: Direct, native: NativeRun, sops: PlainSops) -> list[str]:
    """Wait for the end of the direct run, and return where that of Airflow itself differs."""
    return native_differences(read_run(sops, direct.sops_task_id), native, direct.drawn.tree)

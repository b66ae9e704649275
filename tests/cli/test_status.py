from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from demo.local_sops import LocalSops
    from tests.cli.conftest import AirflowSops

pytestmark = pytest.mark.integration


@pytest.fixture
def paused(hook: SopsHook, templates: dict[str, int]) -> int:
    """A task that waits for a person."""
    task_id = hook.create_task(templates["pause"], "status of a task").task_id
    hook.start_task(task_id)
    return task_id


def test_a_task_that_goes_on_is_shown_and_ends_with_3(airflow_sops: AirflowSops, paused: int) -> None:
    done = airflow_sops("status", str(paused))

    assert done.code == 3
    assert done.out.startswith(f"SOPS task {paused} status of a task: ")
    assert airflow_sops("revoke", str(paused)).code == 0


def test_a_revoked_task_ends_with_1(airflow_sops: AirflowSops, paused: int) -> None:
    revoked, again = airflow_sops("revoke", str(paused)), airflow_sops("status", str(paused), "--output", "json")

    assert (revoked.code, revoked.out) == (0, f"SOPS task {paused} is REVOKED\n")
    assert again.code == 1
    assert json.loads(again.out)["outcome"] == "revoked"


def test_a_task_that_had_ended_is_not_revoked(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    ran = airflow_sops("run", str(templates["quick"]), "--poll-seconds", "0.2", "--output", "json")
    task_id = json.loads(ran.out)["sops_task_id"]

    done = airflow_sops("revoke", str(task_id))

    assert (done.code, done.out) == (1, f"SOPS task {task_id} is FINISHED\n")


def test_nodes_and_outputs_of_a_finished_task_are_shown(
    airflow_sops: AirflowSops, sops_default: LocalSops, templates: dict[str, int]
) -> None:
    started = airflow_sops("run", str(templates["rollout"]), "--detach")

    followed = airflow_sops("status", started.out.strip(), "--follow", "--poll-seconds", "0.2")
    shown = airflow_sops("status", started.out.strip())

    assert (followed.code, shown.code) == (0, 0)
    assert re.search(r"^announce the release\tFINISHED\t\d+\t1$", shown.out, re.MULTILINE)
    assert "  leaf says\tFINISHED\t" in shown.out
    assert 'version = "1.0.0"\n' in shown.out


def test_an_unknown_task_is_an_error(airflow_sops: AirflowSops, sops_default: LocalSops) -> None:
    done = airflow_sops("status", "999999")

    assert (done.code, done.out) == (2, "")
    assert "get_task_detail (task_id 999999, bk_biz_id 2)" in done.err

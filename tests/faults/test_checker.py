"""The checker finds what it is there to find: each case is a run with one thing doctored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_sops.sops.errors import SopsConnectionError, SopsError
from airflow_provider_sops.sops.task_key import TaskKey
from tests.faults.airflow_life import Ending
from tests.faults.checker import Evidence, Granted, Kind, judge_run
from tests.faults.fault import Fault
from tests.faults.plan import plan_run
from tests.faults.proxy import Exchange
from tests.faults.sops_database import RanNode, RanTask

_BEGUN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
_GENERATION = 2
_REFUSED = 3545000
_PLAN = plan_run(1, 1)
_PLAN = replace(
    _PLAN, arguments={**_PLAN.arguments, "wait_for_completion": True, "revoke_on_kill": True, "on_clear": "new"}
)


def after(seconds: float) -> datetime:
    return _BEGUN + timedelta(seconds=seconds)


def make_task(
    task_id: int = 7,
    state: str = "FINISHED",
    *,
    generation: int = _GENERATION,
    began: float = 0.0,
    ended: float | None = 2.0,
    node_state: str = "FINISHED",
    node_ended: float | None = 1.0,
    component: str = "sleep_timer",
) -> RanTask:
    node = RanNode(
        id="n1",
        name="wait",
        component=component,
        state=node_state,
        was_skipped=False,
        began=after(began),
        ended=None if node_ended is None else after(node_ended),
    )
    return RanTask(
        id=task_id,
        name=TaskKey("a" * 13, generation).add_to("flow"),
        state=state,
        is_started=True,
        start_was_asked_for=True,
        waits_for_claim=False,
        began=after(began),
        ended=None if ended is None else after(ended),
        nodes=(node,),
    )


def failed(cause: SopsError | None = None, *, out_of_retries: bool = False) -> Ending:
    error = Exception("it failed")
    error.__cause__ = cause
    return Ending("failed", after(9), error=error, out_of_retries=out_of_retries)


FINISHED_WELL = Evidence(
    plan=_PLAN,
    ending=Ending("success", after(3), value={"who": "Ann"}),
    generation=_GENERATION,
    xcoms={"sops_task_id": 7, "sops_task_state": "FINISHED"},
    tasks=[make_task()],
    exchanges=[Exchange("create_task", None, True, 0)],
    outputs={"who": "Ann"},
    texts=[("log", "INFO all is well")],
    secrets=["s3cret"],
)
ALIVE: dict[str, Any] = {"state": "RUNNING", "ended": None, "node_state": "RUNNING", "node_ended": None}
KILLED = Ending("failed", after(9), by_person=True)
CLEARED = Ending("failed", after(9), error=Exception("SOPS task 7 is still RUNNING"))
ON_CLEAR_FAIL = replace(_PLAN, arguments={**_PLAN.arguments, "on_clear": "fail"})


def test_a_run_that_went_well_breaks_nothing() -> None:
    judgement = judge_run(FINISHED_WELL)
    assert judgement.violations == []
    assert judgement.granted == []


@pytest.mark.parametrize(
    ("kind", "doctored"),
    [
        pytest.param(Kind.DUPLICATE, {"tasks": [make_task(6), make_task(began=3, ended=4)]}, id="the flow ran again"),
        pytest.param(
            Kind.DUPLICATE,
            {"tasks": [make_task(6, "REVOKED", ended=5), make_task(began=3, ended=4)]},
            id="revoked only after the start of the next",
        ),
        pytest.param(
            Kind.DUPLICATE,
            {"tasks": [make_task(6, "REVOKED", generation=1, node_ended=3.5), make_task(began=3, ended=4)]},
            id="a node of the revoked one still ran",
        ),
        pytest.param(
            Kind.DUPLICATE,
            {"tasks": [make_task(6, "FAILED", generation=1, ended=None), make_task(began=3, ended=4)]},
            id="an earlier generation was left alive",
        ),
        pytest.param(
            Kind.ORPHAN,
            {"tasks": [make_task(), make_task(8, generation=1, began=3, **ALIVE)]},
            id="another task runs that Airflow does not know",
        ),
        pytest.param(Kind.ORPHAN, {"ending": KILLED, "tasks": [make_task(**ALIVE)]}, id="killed, and no revoke sent"),
        pytest.param(
            Kind.ORPHAN,
            {
                "ending": KILLED,
                "tasks": [make_task(**ALIVE)],
                "exchanges": [Exchange("operate_task", None, True, 0, "revoke")],
            },
            id="killed, the revoke was accepted and did nothing",
        ),
        pytest.param(
            Kind.ORPHAN,
            {
                "ending": KILLED,
                "tasks": [make_task(**ALIVE)],
                "exchanges": [Exchange("get_task_list", None, True, 0, at=after(8.9))],
            },
            id="killed, the search found it and nothing was revoked",
        ),
        pytest.param(
            Kind.ORPHAN,
            {"ending": KILLED, "tasks": [make_task(**ALIVE)], "refusals": [(after(4), after(6))]},
            id="killed, connections were refused at another time",
        ),
        pytest.param(
            Kind.ORPHAN,
            {
                "ending": KILLED,
                "tasks": [make_task(**ALIVE)],
                "exchanges": [Exchange("operate_task", None, True, _REFUSED, "revoke", at=after(1))],
            },
            id="killed, the revoke was refused though nodes ran",
        ),
        pytest.param(
            Kind.ORPHAN, {"ending": failed(), "tasks": [make_task(**ALIVE)]}, id="failed, and the task runs on"
        ),
        pytest.param(
            Kind.ORPHAN,
            {"ending": failed(SopsConnectionError("lost")), "tasks": [make_task(**ALIVE)]},
            id="given up during an outage with retries left",
        ),
        pytest.param(Kind.LOST, {"ending": failed()}, id="failed, though SOPS finished"),
        pytest.param(
            Kind.LOST,
            {
                "ending": CLEARED,
                "plan": ON_CLEAR_FAIL,
                "generation": _GENERATION + 1,
                "exchanges": [Exchange("get_task_status", None, True, 0, arrived=after(2.1))],
            },
            id="failed as still running, though SOPS had finished before it was asked",
        ),
        pytest.param(Kind.LOST, {"ending": None}, id="never ended"),
        pytest.param(Kind.LOST, {"tasks": []}, id="success of nothing"),
        pytest.param(Kind.LOST, {"tasks": [make_task(state="FAILED", ended=None)]}, id="success of a failed task"),
        pytest.param(Kind.LOST, {"outputs": {"who": "Bob"}}, id="other outputs"),
        pytest.param(
            Kind.LOST, {"xcoms": {"sops_task_id": 7, "sops_task_state": "RUNNING"}}, id="an old state in XCom"
        ),
        pytest.param(Kind.LOST, {"surprise": KeyError("x")}, id="an exception of no kind that Airflow knows"),
        pytest.param(Kind.LEAK, {"texts": [("log", "DEBUG GET /?bk_app_secret=s3cret")]}, id="a secret in a log"),
        pytest.param(Kind.LEAK, {"texts": [("trigger kwargs", "{'key': 's3cret'}")]}, id="a secret in the database"),
    ],
)
def test_finds(kind: Kind, doctored: dict[str, Any]) -> None:
    assert kind in {found for found, _ in judge_run(replace(FINISHED_WELL, **doctored)).violations}


@pytest.mark.parametrize(
    ("granted", "doctored"),
    [
        (
            Granted.REVOKE_REFUSED,
            {
                "ending": KILLED,
                "exchanges": [Exchange("operate_task", None, True, _REFUSED, "revoke", at=after(-1))],
            },
        ),
        (
            Granted.KILLED_IN_OUTAGE,
            {"ending": KILLED, "exchanges": [Exchange("operate_task", Fault.RESET_BEFORE, False, None, "revoke")]},
        ),
        (
            Granted.KILLED_IN_OUTAGE,
            {"ending": KILLED, "exchanges": [Exchange("get_task_list", None, True, 1650200, at=after(8.9))]},
        ),
        (Granted.KILLED_IN_OUTAGE, {"ending": KILLED, "refusals": [(after(8.5), after(9.5))]}),
        (
            Granted.KILLED_IN_OUTAGE,
            {
                "ending": KILLED,
                "exchanges": [Exchange("operate_task", None, True, 0, "revoke", at=after(8))],
                "refusals": [(after(8.5), after(9.5))],
            },
        ),
        (Granted.OUT_OF_RETRIES, {"ending": failed(SopsConnectionError("lost"), out_of_retries=True)}),
        (Granted.LEFT_ALONE, {"ending": KILLED, "generation": _GENERATION + 1, "plan": ON_CLEAR_FAIL}),
        (
            Granted.LEFT_ALONE,
            {
                "ending": failed(),
                "generation": _GENERATION + 1,
                "plan": ON_CLEAR_FAIL,
            },
        ),
    ],
)
def test_grants_what_nobody_can_prevent(granted: Granted, doctored: dict[str, Any]) -> None:
    judgement = judge_run(replace(FINISHED_WELL, tasks=[make_task(**ALIVE)], **doctored))
    assert judgement.violations == []
    assert judgement.granted == [granted]


def test_a_task_that_ended_just_after_the_last_look_was_left_alone() -> None:
    judgement = judge_run(
        replace(
            FINISHED_WELL,
            ending=CLEARED,
            plan=ON_CLEAR_FAIL,
            generation=_GENERATION + 1,
            exchanges=[Exchange("get_task_status", None, True, 0, arrived=after(1.9))],
        )
    )
    assert judgement.violations == []
    assert judgement.granted == [Granted.LEFT_ALONE]


@pytest.mark.parametrize(
    "tasks",
    [
        pytest.param([make_task(6, "REVOKED"), make_task(began=3, ended=4)], id="a revoked one was replaced"),
        pytest.param([make_task(6, generation=1), make_task(began=3, ended=4)], id="cleared after the end"),
        pytest.param(
            [
                make_task(6, "REVOKED", generation=1, node_state="RUNNING", node_ended=None, component="pause_node"),
                make_task(began=3, ended=4),
            ],
            id="a pause of a revoked one waits for ever",
        ),
    ],
)
def test_a_later_task_may_follow(tasks: list[RanTask]) -> None:
    assert judge_run(replace(FINISHED_WELL, tasks=tasks)).violations == []


def test_a_plan_follows_from_its_seed() -> None:
    assert plan_run(5, 3) == plan_run(5, 3)
    assert plan_run(5, 3) != plan_run(6, 3)

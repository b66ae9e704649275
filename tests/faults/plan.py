"""What is to happen in one run: flow, parameters, faults, crashes, and what people do. All of it follows the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

PeopleDo = Literal["nothing", "answer", "retry", "skip", "revoke", "pause and resume"]
#: What befalls a process that works or waits for the Airflow task. ``failed`` and ``success``: a person marks the
#: task so; ``cleared``: a person clears it while it runs; ``terminated``: SIGTERM though nobody has decided anything.
Blow = Literal["killed", "terminated", "reassigned", "failed", "success", "cleared"]


@dataclass(frozen=True)
class Flow:
    """A template of local_sops.

    :param people: what people may do with such a task in SOPS.
    :param ends: whether it ends unaided.
    """

    name: str
    template_id: int
    constants: Mapping[str, Any] = field(default_factory=dict)
    people: tuple[PeopleDo, ...] = ("nothing", "nothing", "revoke", "pause and resume")
    ends: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)
    weight: int = 2


_REPAIRS: tuple[PeopleDo, ...] = ("nothing", "retry", "skip", "skip", "revoke")

FLOWS = (
    Flow("quick", 18, weight=6),
    Flow("linear", 1, {"${who}": "Ann", "${seconds}": 1}, weight=4),
    Flow("parallel", 2, {"${version}": "7", "${compile_seconds}": "1", "${test_seconds}": "0"}, weight=3),
    Flow("nested", 8),
    Flow("loop", 19),
    Flow("password", 20),
    Flow("long", 17, {"${seconds}": "1"}, weight=3),
    Flow("fail", 12, people=_REPAIRS, weight=3),
    Flow("fail_hard", 16, people=_REPAIRS, weight=1),
    Flow("fail_ignorable", 13),
    Flow("fail_autoretry", 14, people=("nothing", "skip")),
    Flow("fail_in_parallel", 15, {"${slow_seconds}": "1"}, people=_REPAIRS),
    Flow("fail_in_subprocess", 22, people=_REPAIRS),
    Flow("exclusive_nomatch", 4, people=("nothing", "revoke"), weight=1),
    Flow("pause", 11, people=("answer",), weight=3),
    Flow("pause_in_subprocess", 28, people=("answer",), weight=1),
    Flow("pause never answered", 11, people=("nothing", "revoke"), ends=False, weight=2),
    Flow("unknown_plugin", 25, people=("nothing", "revoke"), ends=False, weight=1),
    Flow(
        "never claimed",
        18,
        people=("nothing",),
        ends=False,
        arguments={"flow_type": "common_func", "start_timeout_seconds": 1.5},
        weight=1,
    ),
)
_LONG_ENOUGH_SECONDS = 40.0
MAX_OUTAGE_SECONDS = 30.0
_NOT_LONG_ENOUGH_SECONDS = 3.0


@dataclass(frozen=True)
class WorkerBlow:
    """What befalls the worker's process.

    :param at_request: just before or after this request of the run, the first is 1.
    """

    blow: Blow
    at_request: int
    before: bool


@dataclass(frozen=True)
class TriggererBlow:
    """What befalls the process that waits for a deferred task, so long after a wait has begun."""

    blow: Blow
    after_seconds: float


@dataclass(frozen=True)
class PlannedOutage:
    """A time without any usable answer, shorter than ``max_outage_seconds``.

    :param api: it begins with a request for this call; ``action`` is that of ``operate_task`` and ``operate_node``.
    :param nth: with which one.
    :param reaches_sops: whether SOPS still acts on that first one, whose answer is lost.
    """

    api: str
    action: str
    nth: int
    seconds: float
    reaches_sops: bool


#: Where outages begin: search, check, create, election, announcement, start, wait, outputs, revoke, retry of a node.
_STEPS = (
    ("get_task_list", "", 1),
    ("get_template_info", "", 1),
    ("create_task", "", 1),
    ("create_task", "", 1),
    ("get_task_list", "", 2),
    ("get_task_list", "", 3),
    ("get_task_detail", "", 1),
    ("start_task", "", 1),
    ("start_task", "", 1),
    ("get_task_status", "", 1),
    ("get_task_status", "", 2),
    ("get_tasks_status", "", 1),
    ("get_task_detail", "", 2),
    ("get_task_detail", "", 3),
    ("operate_task", "revoke", 1),
    ("operate_node", "retry", 1),
)


@dataclass(frozen=True)
class RunPlan:
    """One run."""

    name: str
    seed: str
    flow: Flow
    gateway: Literal["apigw", "esb"]
    arguments: Mapping[str, Any]
    retries: int
    fault_rate: float
    fault_budget: int
    worker_blows: tuple[WorkerBlow, ...]
    triggerer_blows: tuple[TriggererBlow, ...]
    clears: int
    people_do: PeopleDo
    people_after_seconds: float
    secret_constant: str
    outage: PlannedOutage | None

    @property
    def deferrable(self) -> bool:
        """Whether the wait is in the triggerer."""
        return bool(self.arguments["deferrable"])

    def random_for(self, purpose: str) -> random.Random:
        """Return a source of chance of its own for a purpose."""
        return random.Random(f"{self.seed}/{purpose}")

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.flow.name} over {self.gateway}, {dict(self.arguments)}, retries {self.retries}, "
            f"faults {self.fault_rate:.2f} up to {self.fault_budget}, worker {self.worker_blows}, "
            f"triggerer {self.triggerer_blows}, {self.clears} clears, people {self.people_do} "
            f"after {self.people_after_seconds:.1f} s, {self.outage}"
        )


def plan_run(seed: int, number: int) -> RunPlan:
    """Return the plan of one run; the same for the same arguments."""
    text = f"{seed}/{number}"
    chance = random.Random(text)
    flow = chance.choices(FLOWS, [flow.weight for flow in FLOWS])[0]
    people_do = chance.choice(flow.people)
    retries = chance.choice((0, 1, 2, 3, 6))
    secret_constant = f"pa55+{chance.randbytes(9).hex()}"
    constants = dict(flow.constants)
    if flow.name == "password":
        constants["${password}"] = secret_constant
    on_failed = chance.choice(("fail", "fail", "wait"))
    fault_rate = chance.choice((0.0, 0.1, 0.25, 0.25, 0.5))
    is_short = not flow.ends or (on_failed == "wait" and flow.name.startswith(("fail", "exclusive")))
    arguments = {
        "constants": constants,
        "deferrable": chance.random() < 0.6,
        "retry_mode": chance.choice(("resume", "resume", "new")),
        "on_clear": chance.choice(("keep_repaired", "keep_repaired", "new", "resume", "fail")),
        "on_failed": on_failed,
        "revoke_on_kill": chance.random() < 0.9,
        "wait_for_completion": chance.random() < 0.95,
        "timeout_seconds": _timeout(chance, is_short=is_short),
        "revoke_wait_seconds": 4,
        "check_constants": chance.random() < 0.7,
        "max_outage_seconds": MAX_OUTAGE_SECONDS,
        # Long enough for some flows to end before.
        "defer_after_seconds": random.Random(f"{text}/defer").choice((0, 0, 0, 0.6)),
        **flow.arguments,
    }
    return RunPlan(
        name=f"run-{number}",
        seed=text,
        flow=flow,
        gateway="esb" if chance.random() < 0.3 else "apigw",
        arguments=arguments,
        retries=retries,
        fault_rate=fault_rate,
        fault_budget=chance.randint(1, 12) if fault_rate else 0,
        worker_blows=_worker_blows(chance, at_work=not arguments["deferrable"]),
        triggerer_blows=_triggerer_blows(chance),
        clears=chance.choice((0, 0, 0, 1, 1, 2)),
        people_do=people_do,
        people_after_seconds=chance.uniform(0.1, 1.5),
        secret_constant=secret_constant,
        outage=_outage(random.Random(f"{text}/outage")),
    )


def _outage(chance: random.Random) -> PlannedOutage | None:
    if chance.random() < 0.4:
        return None
    api, action, nth = chance.choice(_STEPS)
    return PlannedOutage(api, action, nth, chance.choice((0.4, 1.5, 3.0, 5.0)), reaches_sops=chance.random() < 0.5)


def _timeout(chance: random.Random, *, is_short: bool) -> float:
    if is_short:
        return _NOT_LONG_ENOUGH_SECONDS
    return chance.uniform(0.3, 3.0) if chance.random() < 0.15 else _LONG_ENOUGH_SECONDS


def _worker_blows(chance: random.Random, *, at_work: bool) -> tuple[WorkerBlow, ...]:
    """Return blows anywhere, and in many runs one at a time when the SOPS task probably runs.

    :param at_work: whether the worker waits itself.
    """
    blows: list[WorkerBlow] = []
    request = 0
    if chance.random() < 0.3:
        at_request = chance.randint(8, 30) if at_work else chance.randint(6, 9)
        blows.append(WorkerBlow(chance.choice(("failed", "success", "cleared", "killed")), at_request, before=False))
    while chance.random() < 0.4:
        request += chance.randint(1, 12)
        blow: Blow = chance.choice(("killed", "killed", "killed", "terminated", "failed", "success", "cleared"))
        blows.append(WorkerBlow(blow, request, before=chance.random() < 0.5))
    return tuple(blows)


def _triggerer_blows(chance: random.Random) -> tuple[TriggererBlow, ...]:
    blows: list[TriggererBlow] = []
    while chance.random() < 0.5:
        blow: Blow = chance.choice(("killed", "killed", "reassigned", "reassigned", "failed", "success", "cleared"))
        blows.append(TriggererBlow(blow, chance.uniform(0.0, 1.2)))
    return tuple(blows)

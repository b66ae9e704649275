"""Whether a run kept what the provider promises, judged by what really ran in SOPS.

A promise is broken in one of five ways. *Duplicate*: the flow ran twice, or a later task ran beside an earlier one.
*Orphan*: something is alive in SOPS that nobody in Airflow answers for. *Lost*: Airflow says something else of the end
than SOPS. *Leak*: a secret is where people can read it. *Burnt*: an outage that was shorter than ``max_outage_seconds``
has cost a try.

Some things no client can prevent. These *exceptions* are counted by name, and granted only where the requests that
were made prove them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsError
from tests.faults.plan import MAX_OUTAGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.airflow_life import Ending
    from tests.faults.plan import RunPlan
    from tests.faults.proxy import Exchange
    from tests.faults.sops_database import RanTask

#: What SOPS says to a revoke of a task that is not started, and of one that its engine does not know yet.
_NOT_YET = (3545000, 3599999)

_LOOKS = ("get_task_status", "get_tasks_status")
#: What the gateway says where it cannot reach SOPS.
_NO_UPSTREAM = 1650200

_AT_THE_SAME_MOMENT = timedelta(seconds=0.5)
#: How long a kill takes at most, with the campaign's pauses.
_KILL_SECONDS = 1.5
#: How long after its end an outage may still be a reason: the next one counts with it until the call is answered.
_SOON_AFTER = timedelta(seconds=MAX_OUTAGE_SECONDS)


class Kind(StrEnum):
    """How a promise can be broken."""

    DUPLICATE = "duplicate"
    ORPHAN = "orphan"
    LOST = "lost"
    LEAK = "leak"
    BURNT = "burnt"


class Granted(StrEnum):
    """What is no fault of the provider's."""

    REVOKE_REFUSED = "revoke refused while CREATED"
    KILLED_IN_OUTAGE = "kill during an outage"
    OUT_OF_RETRIES = "out of retries during an outage"
    OUTAGE_TOO_LONG = "outage too long"
    LEFT_ALONE = "left alone as told"


@dataclass(frozen=True)
class Evidence:
    """All that is known of a run after its end.

    :param ending: ``None`` if it never ended.
    :param generation: ``max_tries`` of the last try.
    :param xcoms: of the last try.
    :param tasks: of all generations, oldest first.
    :param refusals: from when to when connections were refused.
    :param outputs: of the task that the last try names, as SOPS gives them; ``None`` unless it is FINISHED.
    :param texts: what was logged, shown or stored, with where.
    :param secrets: texts that none of them may hold.
    :param burnt: the errors of tries that an outage has ended, with when.
    :param long_outages: from when to when SOPS was gone for about as long as the run bears.
    """

    plan: RunPlan
    ending: Ending | None
    generation: int
    xcoms: dict[str, Any]
    tasks: Sequence[RanTask]
    exchanges: Sequence[Exchange]
    outputs: dict[str, Any] | None
    texts: Sequence[tuple[str, str]]
    secrets: Sequence[str]
    refusals: Sequence[tuple[datetime, datetime]] = ()
    surprise: BaseException | None = None
    burnt: Sequence[tuple[datetime, str]] = ()
    long_outages: Sequence[tuple[datetime, datetime]] = ()


@dataclass
class Judgement:
    """What was found."""

    violations: list[tuple[Kind, str]] = field(default_factory=list)
    granted: list[Granted] = field(default_factory=list)


def judge_run(evidence: Evidence) -> Judgement:
    """Return what a run broke."""
    judgement = Judgement()
    judgement.violations += [(Kind.DUPLICATE, text) for text in duplicates(evidence.tasks)]
    judgement.violations += [(Kind.LEAK, text) for text in _leaks(evidence)]
    for at, text in evidence.burnt:
        if any(begun < at < ended + _SOON_AFTER for begun, ended in evidence.long_outages):
            judgement.granted.append(Granted.OUTAGE_TOO_LONG)
        else:
            judgement.violations.append((Kind.BURNT, text))
    if evidence.surprise is not None:
        judgement.violations.append((Kind.LOST, f"an exception that Airflow does not expect: {evidence.surprise!r}"))
    elif evidence.ending is None:
        judgement.violations.append((Kind.LOST, "the run never ended"))
    else:
        _judge_ending(evidence, evidence.ending, judgement)
    return judgement


def duplicates(tasks: Sequence[RanTask]) -> Iterator[str]:
    """Find what ran twice.

    :param tasks: of one task instance, all generations.
    """
    started = sorted((task for task in tasks if task.began), key=lambda task: (task.began, task.id))
    for earlier, later in pairwise(started):
        assert later.began is not None
        if not earlier.is_over:
            yield f"{earlier} is not over, and {later} was started"
        elif earlier.ended is not None and earlier.ended > later.began:
            yield f"{earlier} ended only after the start of {later}"
        elif earlier.state == "FINISHED" and earlier.key.generation == later.key.generation:
            yield f"{later} runs the flow again in the same generation after {earlier}"
    for index, later in enumerate(started):
        assert later.began is not None
        for earlier in started[:index]:
            if nodes := [node.name for node in earlier.nodes if node.runs_at(later.began)]:
                yield f"{', '.join(nodes)} of {earlier} ran when {later} was started"


def _leaks(evidence: Evidence) -> Iterator[str]:
    told = set()
    for where, text in evidence.texts:
        if where not in told and any(secret in text for secret in evidence.secrets):
            told.add(where)
            yield f"{where}: {text[:2000]}"


def _judge_ending(evidence: Evidence, ending: Ending, judgement: Judgement) -> None:
    final = _final_task(evidence)
    for task in evidence.tasks:
        if task is not final and task.is_started and not task.is_over:
            judgement.violations.append((Kind.ORPHAN, f"nobody answers for {task}"))
    if final is not None and _ran_at_last_look(evidence, final) and _is_left_alone(evidence, ending, final):
        judgement.granted.append(Granted.LEFT_ALONE)
    elif ending.by_person:
        _judge_kill(evidence, final, judgement)
    elif ending.state == "success":
        judgement.violations += [(Kind.LOST, text) for text in _wrong_success(evidence, ending, final)]
    else:
        _judge_failure(evidence, ending, final, judgement)


def _final_task(evidence: Evidence) -> RanTask | None:
    """Return the task that the last try answers for: the one it named, else the last that was started."""
    named = evidence.xcoms.get("sops_task_id")
    started = [task for task in evidence.tasks if task.is_started]
    return next((task for task in evidence.tasks if task.id == named), started[-1] if started else None)


def _ran_at_last_look(evidence: Evidence, task: RanTask) -> bool:
    """Whether the task was not over when Airflow asked about it for the last time."""
    looks = [each.arrived for each in evidence.exchanges if each.api in _LOOKS and each.undisturbed]
    return not task.is_over or (bool(looks) and task.ended is not None and task.ended > looks[-1])


def _is_left_alone(evidence: Evidence, ending: Ending, final: RanTask) -> bool:
    """Whether the user has told the operator not to touch it: after a clear, or at a kill or timeout."""
    arguments = evidence.plan.arguments
    is_from_before = final.key.generation != evidence.generation and (ending.state == "failed" or ending.by_person)
    is_kill = ending.by_person or "after the time allowed" in str(ending.error)
    return (is_from_before and arguments["on_clear"] == "fail") or (is_kill and not arguments["revoke_on_kill"])


def _judge_kill(evidence: Evidence, final: RanTask | None, judgement: Judgement) -> None:
    if final is None or final.is_over:
        return
    last = next((exchange for exchange in reversed(evidence.exchanges) if exchange.action == "revoke"), None)
    if (last is not None and not last.undisturbed) or _could_not_connect(evidence, last) or _could_not_search(evidence):
        judgement.granted.append(Granted.KILLED_IN_OUTAGE)
    elif last is not None and last.code in _NOT_YET and not _had_begun(final, last.at):
        judgement.granted.append(Granted.REVOKE_REFUSED)
    elif final.is_started:
        judgement.violations.append((Kind.ORPHAN, f"a person ended the Airflow task, but not {final}"))


def _could_not_connect(evidence: Evidence, last: Exchange | None) -> bool:
    """Whether connections were refused during the kill, so that no revoke came as far as the network's record."""
    assert evidence.ending is not None
    to = evidence.ending.at
    since = to - timedelta(seconds=_KILL_SECONDS)
    if last is not None:
        # It may have been for an earlier task.
        since = max(since, last.at)
    return any(begun < to and ended > since for begun, ended in evidence.refusals)


def _could_not_search(evidence: Evidence) -> bool:
    """Whether the last that a kill did was to search for what it should revoke, and it got no answer."""
    last = evidence.exchanges[-1] if evidence.exchanges else None
    assert evidence.ending is not None
    return (
        last is not None
        and last.api == "get_task_list"
        and (not last.undisturbed or last.code == _NO_UPSTREAM)
        and last.at > evidence.ending.at - timedelta(seconds=_KILL_SECONDS)
    )


def _had_begun(task: RanTask, moment: datetime) -> bool:
    return any(node.began is not None and node.began <= moment for node in task.nodes)


def _wrong_success(evidence: Evidence, ending: Ending, final: RanTask | None) -> Iterator[str]:
    # SOPS accepts the start of a task that waits to be claimed, and leaves it at that.
    if final is None or not (final.is_started or final.start_was_asked_for or final.waits_for_claim):
        yield "Airflow says success, but nothing was started in SOPS"
    elif not evidence.plan.arguments["wait_for_completion"]:
        return
    elif final.state != "FINISHED":
        yield f"Airflow says success, SOPS says {final}"
    elif ending.value != evidence.outputs:
        yield f"outputs {ending.value!r}, SOPS has {evidence.outputs!r}"
    elif evidence.xcoms.get("sops_task_state") != "FINISHED":
        yield f"XCom {evidence.xcoms!r}"


def _judge_failure(evidence: Evidence, ending: Ending, final: RanTask | None, judgement: Judgement) -> None:
    if final is None or not final.is_started:
        return
    if final.state in ("REVOKED", "EXPIRED"):
        return
    if final.state == "FAILED" and not any(
        node.state == "RUNNING" for node in final.nodes if not node.waits_for_person
    ):
        return
    # People may act between the last look and the end that follows from it.
    if _was_revived(final, ending.at - _AT_THE_SAME_MOMENT):
        return
    if ending.out_of_retries and is_outage(ending.error):
        judgement.granted.append(Granted.OUT_OF_RETRIES)
        return
    kind = Kind.LOST if final.is_over else Kind.ORPHAN
    judgement.violations.append((kind, f"Airflow says failed ({ending.error}), SOPS says {final}"))


def _was_revived(task: RanTask, since: datetime) -> bool:
    """Whether people skipped or retried a node after Airflow's end: it was settled then."""
    return any(
        (node.was_skipped and node.ended is not None and node.ended > since)
        or (node.began is not None and node.began > since)
        for node in task.nodes
    )


def is_outage(error: BaseException | None) -> bool:
    """Whether a request that brought no answer of SOPS's is the reason."""
    cause = None if error is None else error.__cause__ or error.__context__
    return isinstance(cause, SopsError) and (
        cause.temporary or cause.outcome_unknown or (cause.http_status is not None and cause.http_status != 200)
    )

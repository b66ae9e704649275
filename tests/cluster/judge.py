"""Whether a round kept what the provider promises, judged by what really ran in SOPS.

Nobody marks, clears or revokes anything in a round: every flow ends by itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.task_key import TaskKey
from tests.faults.checker import duplicates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.faults.sops_database import RanTask

#: The only DAG whose flow fails in SOPS.
FAILING_DAG = "cluster_failing"
#: The DAGs whose task instances with a SOPS task return something.
_RETURNING_DAGS = ("cluster_deferred", "cluster_sensors", "cluster_worker")
_ENDED = ("success", "failed", "upstream_failed", "skipped", "removed")


class Fault(StrEnum):
    """How a promise can be broken."""

    TWICE = "started twice"
    ORPHAN = "orphans"
    LOST = "lost"
    STUCK = "stuck"
    REVOKED = "wrong revokes"
    FAILED_THOUGH_FINISHED = "failed although FINISHED"
    FAILED = "failed otherwise"
    BURNT = "tries burnt"


@dataclass(frozen=True)
class TaskInstance:
    """A task instance as Airflow's database has it.

    :param state: ``None`` if the scheduler has not got to it.
    :param has_value: whether it has returned something.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    has_value: bool

    @property
    def digest(self) -> str:
        """What the names of its SOPS tasks hold."""
        return TaskKey.of(
            dag_id=self.dag_id, run_id=self.run_id, task_id=self.task_id, map_index=self.map_index, max_tries=0
        ).digest

    @property
    def has_ended(self) -> bool:
        """Whether Airflow does nothing more with it."""
        return self.state in _ENDED

    def __str__(self) -> str:
        mapped = "" if self.map_index < 0 else f"[{self.map_index}]"
        return f"{self.dag_id}.{self.task_id}{mapped} of {self.run_id} ({self.state}, try {self.try_number})"


@dataclass(frozen=True)
class Finding:
    """A broken promise."""

    fault: Fault
    text: str


def judge_round(
    instances: Sequence[TaskInstance], tasks: Sequence[RanTask], *, parts_were_killed: bool = True
) -> list[Finding]:
    """Return what a round broke.

    :param instances: all of the round.
    :param tasks: all of the round, in the order of their creation.
    :param parts_were_killed: which may cost tries; an outage of SOPS must not.
    """
    by_digest: dict[str, list[RanTask]] = defaultdict(list)
    for task in tasks:
        by_digest[task.key.digest].append(task)
    of_dag: dict[str, list[RanTask]] = defaultdict(list)
    for instance in instances:
        of_dag[instance.dag_id] += by_digest.get(instance.digest, [])
    findings = [Finding(Fault.TWICE, text) for own in by_digest.values() for text in duplicates(own)]
    findings += [Finding(Fault.REVOKED, f"{task}") for task in tasks if task.state == "REVOKED"]
    findings += _orphans(instances, by_digest)
    for instance in instances:
        findings += _of_instance(instance, by_digest.get(instance.digest, []), of_dag[instance.dag_id])
    if not parts_were_killed:
        findings += [Finding(Fault.BURNT, f"{instance}") for instance in instances if lost_tries(instance)]
    return findings


def lost_tries(instance: TaskInstance) -> int:
    """Return how many tries a task instance has needed beyond those that its flow has failed."""
    return 0 if instance.dag_id == FAILING_DAG else max(0, instance.try_number - 1)


def _orphans(instances: Sequence[TaskInstance], by_digest: Mapping[str, Sequence[RanTask]]) -> Iterator[Finding]:
    """Find what is alive in SOPS while nobody in Airflow waits for it."""
    # A watched flow and the sensors wait for what another task instance has started.
    waiting = {instance.dag_id for instance in instances if not instance.has_ended}
    owners = {instance.digest: instance for instance in instances}
    for digest, tasks in by_digest.items():
        owner = owners.get(digest)
        if owner is not None and owner.dag_id in waiting:
            continue
        for task in tasks:
            if task.is_started and not task.is_over and task.state != "FAILED":
                yield Finding(Fault.ORPHAN, f"{task}, started by {owner or 'no task instance'}")


def _of_instance(instance: TaskInstance, own: Sequence[RanTask], of_dag: Sequence[RanTask]) -> Iterator[Finding]:
    if not instance.has_ended:
        yield Finding(Fault.STUCK, f"{instance}; {_told(own)}")
    elif instance.state == "success" and (text := _lost(instance, own)):
        yield Finding(Fault.LOST, f"{instance} {text}")
    elif instance.state == "failed" and instance.dag_id != FAILING_DAG:
        started = [task for task in of_dag if task.is_started]
        all_finished = bool(started) and all(task.state == "FINISHED" for task in started)
        yield Finding(Fault.FAILED_THOUGH_FINISHED if all_finished else Fault.FAILED, f"{instance}; {_told(own)}")


def _lost(instance: TaskInstance, own: Sequence[RanTask]) -> str:
    """Return what is missing of a success, or an empty text."""
    if instance.dag_id == FAILING_DAG:
        return "succeeded with a flow that fails"
    started = [task for task in own if task.is_started]
    if own and not any(task.state == "FINISHED" for task in started):
        return f"succeeded; {_told(own)}"
    if own and not instance.has_value and instance.dag_id in _RETURNING_DAGS:
        return f"returned nothing; {_told(own)}"
    return ""


def _told(tasks: Sequence[RanTask]) -> str:
    return "; ".join(map(str, tasks)) or "nothing in SOPS"

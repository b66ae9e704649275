"""One round: start the DAGs, end parts of the cluster as planned, wait, and judge."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.cluster.cluster import DAG_IDS
from tests.cluster.judge import Fault, judge_round, lost_tries
from tests.cluster.parts import Kind
from tests.cluster.plan import Means, Theme

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cluster.cluster import Cluster
    from tests.cluster.judge import Finding, TaskInstance
    from tests.cluster.parts import Part
    from tests.cluster.plan import Blow, Outage, RoundPlan

_TICK_SECONDS = 0.5
_BETWEEN_LINES_SECONDS = 15
#: How many task instances wait when an upgrade begins.
_ENOUGH_DEFERRED = 4
#: How long a worker may take to stop when it is upgraded; then its host is shut down.
_STOP_SECONDS = 20


@dataclass
class Handover:
    """The triggers of a killed triggerer, until another one has them all.

    :param jobs: the ids under which it had them.
    """

    part: Part
    jobs: list[int]
    triggers: int
    begun: float
    seconds: float | None = None


@dataclass(frozen=True)
class RoundResult:
    """What came of a round.

    :param extra_tries: how many tries the kills have cost; without kills, the outages.
    :param logs: how many logs of flows that were waited for in the triggerer the UI can show, and how many of these
        tell of the nodes.
    :param handovers: seconds from the kill of a triggerer that had triggers until another had them.
    """

    plan: RoundPlan
    seconds: float
    instances: int
    sops_tasks: int
    extra_tries: int
    logs: tuple[int, int]
    handovers: tuple[float, ...]
    requests: Mapping[str, int]
    findings: tuple[Finding, ...]

    def row(self) -> dict[str, str]:
        """Return the figures as cells by heading."""
        found = Counter(finding.fault for finding in self.findings)
        return {
            "round": f"{self.plan.number} {self.plan.theme}",
            "s": f"{self.seconds:.0f}",
            "task instances": str(self.instances),
            "SOPS tasks": str(self.sops_tasks),
            **{str(fault): str(found[fault]) for fault in Fault},
            "tries lost": str(self.extra_tries),
            "logs with nodes": f"{self.logs[1]} of {self.logs[0]}",
            "hand-over s": " ".join(f"{seconds:.0f}" for seconds in self.handovers) or "-",
            "requests": str(sum(self.requests.values())),
        }


@dataclass
class Round:
    """A round under way.

    :param limit_seconds: after which what has not ended counts as stuck.
    """

    cluster: Cluster
    plan: RoundPlan
    limit_seconds: float
    _runs: dict[str, str] = field(default_factory=dict)
    _begun: float = 0.0
    _restarts: dict[Part, float] = field(default_factory=dict)
    _upgrades: dict[Part, float] = field(default_factory=dict)
    _handovers: list[Handover] = field(default_factory=list)

    def run(self) -> RoundResult:
        """Do it.

        :raises ChildFailedError: a part has ended that nobody has killed.
        """
        self._tell(f"{self.plan.theme}; " + "; ".join(map(str, (*self.plan.blows, *self.plan.outages))))
        if self.plan.theme is Theme.UPGRADE:
            self._go_back()
        first_task = max((task.id for task in self.cluster.sops.tasks("")), default=0) + 1
        before = Counter(self.cluster.gateway.requests)
        self._runs = {dag_id: self.cluster.api.trigger(dag_id) for dag_id in DAG_IDS}
        self._begun = time.monotonic()
        self._live()
        seconds = time.monotonic() - self._begun
        instances = self.cluster.records.instances(self._runs)
        tasks = [task for task in self.cluster.sops.tasks("") if task.id >= first_task]
        return RoundResult(
            plan=self.plan,
            seconds=seconds,
            instances=len(instances),
            sops_tasks=sum(task.is_started for task in tasks),
            extra_tries=sum(map(lost_tries, instances)),
            logs=self._logs(instances),
            handovers=tuple(each.seconds for each in self._handovers if each.seconds is not None),
            requests=self.cluster.gateway.requests - before,
            findings=tuple(judge_round(instances, tasks, parts_were_killed=bool(self.plan.blows))),
        )

    def _live(self) -> None:
        blows, outages = list(self.plan.blows), list(self.plan.outages)
        blows_since = None if self.plan.theme is Theme.UPGRADE else self._begun
        next_line = 0.0
        while True:
            passed = time.monotonic() - self._begun
            if blows_since is None and self.cluster.records.states(self._runs)["deferred"] >= _ENOUGH_DEFERRED:
                blows_since = time.monotonic()
            while blows and blows_since is not None and time.monotonic() - blows_since >= blows[0].at_seconds:
                self._strike(blows.pop(0))
            self._begin_or_end(outages, passed)
            self._restart_who_is_due()
            self._look_at_handovers()
            busy = bool(blows or outages or self._restarts or self._upgrades)
            if not busy and self.cluster.records.unended_runs(self._runs) == 0:
                break
            if not busy and passed > self.limit_seconds:
                self._tell(f"{self.limit_seconds:.0f} s are over: what has not ended is stuck")
                break
            if passed >= next_line:
                self._tell(f"{passed:.0f} s: {self._states()}")
                next_line = passed + _BETWEEN_LINES_SECONDS
            time.sleep(_TICK_SECONDS)
        self.cluster.wait_until_ready()

    def _begin_or_end(self, outages: list[Outage], passed: float) -> None:
        """Begin or end the outage that is due, and take it off the list at its end."""
        if not outages:
            return
        due, gateway = outages[0], self.cluster.gateway
        if gateway.outage is None and passed >= due.at_seconds:
            self._tell(f"SOPS {due.kind}")
            gateway.outage = due
        if gateway.outage is not None and passed >= due.end_seconds:
            self._tell("SOPS answers again")
            gateway.outage = None
            outages.pop(0)

    def _strike(self, blow: Blow) -> None:
        part = blow.part
        if part.kind is Kind.TRIGGERER and blow.means is not Means.UPGRADE:
            # One without triggers would show nothing, and the first one to be up takes all.
            part = self._busiest_triggerer()
        member = self.cluster.members[part]
        if not member.is_up or part in self._restarts or part in self._upgrades:
            self._tell(f"{part} is still away, so it is left alone")
            return
        if part.kind is Kind.TRIGGERER:
            self._expect_handover(part)
        self._tell(f"{part}: {blow.means}")
        if blow.means is Means.UPGRADE:
            member.life.ask_to_stop()
            self._upgrades[part] = time.monotonic() + _STOP_SECONDS
        else:
            member.life.kill(whole_host=blow.means is Means.HOST)
            self._restarts[part] = time.monotonic() + blow.down_seconds

    def _expect_handover(self, part: Part) -> None:
        """Measure how long the triggers of a triggerer are without one, unless they are since an earlier kill."""
        jobs = self.cluster.records.job_ids(part.host)
        triggers = self.cluster.records.triggers_of(jobs)
        is_expected = any(each.part == part and each.seconds is None for each in self._handovers)
        if triggers and not is_expected:
            self._handovers.append(Handover(part, jobs, triggers, time.monotonic()))

    def _busiest_triggerer(self) -> Part:
        records = self.cluster.records
        triggerers = [part for part in self.cluster.members if part.kind is Kind.TRIGGERER]
        return max(triggerers, key=lambda part: records.triggers_of(records.job_ids(part.host)))

    def _restart_who_is_due(self) -> None:
        now = time.monotonic()
        for part, deadline in list(self._upgrades.items()):
            life = self.cluster.members[part].life
            if not life.has_ended and now < deadline:
                continue
            life.kill(whole_host=True)
            del self._upgrades[part]
            self._restarts[part] = now
        for part, moment in list(self._restarts.items()):
            if now >= moment:
                del self._restarts[part]
                self.cluster.start(part)

    def _look_at_handovers(self) -> None:
        for each in self._handovers:
            if each.seconds is None and self.cluster.records.triggers_of(each.jobs) == 0:
                each.seconds = time.monotonic() - each.begun
                self._tell(f"the {each.triggers} triggers of {each.part} are with others after {each.seconds:.1f} s")

    def _logs(self, instances: list[TaskInstance]) -> tuple[int, int]:
        """Count the deferred flows that have ended, and those of them whose log tells of nodes in Airflow's UI."""
        ended = [each for each in instances if each.dag_id == "cluster_deferred" and each.has_ended]
        logs = [
            self.cluster.api.task_log(each.dag_id, each.run_id, each.task_id, each.try_number, map_index=each.map_index)
            for each in ended
        ]
        return len(logs), sum(any('node "' in line for line in log) for log in logs)

    def _go_back(self) -> None:
        """Replace the current version on workers and triggerers by the older one."""
        parts = [part for part in self.cluster.members if part.kind in (Kind.WORKER, Kind.TRIGGERER)]
        self._tell(f"the older version for {', '.join(map(str, parts))}")
        for part in parts:
            self.cluster.members[part].life.kill(whole_host=True)
        for part in parts:
            self.cluster.start(part, older=True)
        self.cluster.wait_until_ready()

    def _states(self) -> str:
        states = self.cluster.records.states(self._runs)
        told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        away = ", ".join(str(part) for part, member in self.cluster.members.items() if not member.is_up)
        return f"{told}{f'; away: {away}' if away else ''}"

    def _tell(self, text: str) -> None:
        self.cluster.tell(f"round {self.plan.number}: {text}")

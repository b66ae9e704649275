"""Many runs at once against one local_sops that dies now and then, and what came of them."""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import requests

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.task_instance import state as task_instance_state
from tests.aged_sops import DEFAULT_AGE
from tests.faults.airflow_life import AirflowLife, Ending, recorded_state
from tests.faults.checker import Evidence, Granted, Judgement, Kind, judge_run
from tests.faults.pace import CLIENT_TIMEOUT_SECONDS, hurried
from tests.faults.people import People
from tests.faults.plan import MAX_OUTAGE_SECONDS, RunPlan, plan_run
from tests.faults.proxy import HostileProxy, Traffic
from tests.faults.sops_database import SopsDatabase
from tests.faults.sops_server import APP_CODE, BK_BIZ_ID, BK_USERNAME, KillableSops
from tests.faults.story import Story, StoryHandler, current_story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.faults.sops_database import RanTask

_DIRECT_CONN_ID = "sops_direct"
_RUNS_BETWEEN_LINES = 100
#: How long SOPS may take to act on what it was asked for last.
_SETTLE_SECONDS = 5.0
#: How long local_sops may be gone after it was killed.
_BACK_SECONDS = 60.0
#: An outage of this part of ``max_outage_seconds``, and the faults around it, may be too long for a run.
_LONG_PART = 0.5
#: Of password-type constants in the flows used.
_PASSWORD_OUTPUTS = frozenset({"password"})

_current_life: ContextVar[AirflowLife | None] = ContextVar("current_life", default=None)


@dataclass
class Result:
    """The outcome of a campaign."""

    seed: int
    runs: int = 0
    faults: int = 0
    outages: int = 0
    violations: Counter[Kind] = field(default_factory=Counter)
    granted: Counter[Granted] = field(default_factory=Counter)
    stories: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """The line to print."""
        found = self.violations
        exceptions = ", ".join(f"{self.granted[name]} {name}" for name in Granted)
        return (
            f"{self.runs} runs, {self.faults} faults injected, {found[Kind.DUPLICATE]} duplicates, "
            f"{found[Kind.ORPHAN]} orphans, {found[Kind.LOST]} lost, {found[Kind.LEAK]} leaks, "
            f"{self.outages} outages, {found[Kind.BURNT]} tries burnt by outages shorter than max_outage_seconds "
            f"(exceptions: {exceptions}; seed {self.seed}, {self.seconds:.0f} s)"
        )


@dataclass(frozen=True)
class _Run:
    """A run before it begins.

    :param gateway: its own address of the hostile proxy.
    """

    plan: RunPlan
    story: Story
    traffic: Traffic
    gateway: str

    @property
    def conn_id(self) -> str:
        """The connection through the hostile network."""
        return f"sops_{self.plan.name.replace('-', '_')}"


class Campaign:
    """Runs the numbers of a seed.

    :param command: path of the program ``local-sops``.
    :param folder: for local_sops's data and log.
    :param at_once: how many runs at the same time.
    :param age: of the SOPS.
    """

    def __init__(self, seed: int, *, command: str, folder: Path, at_once: int = 10, age: str = DEFAULT_AGE) -> None:
        self._seed = seed
        self._sops = KillableSops(command, folder, os.environ, age=age)
        self._proxy = HostileProxy(lambda: self._sops.url)
        self._database = SopsDatabase(self._sops.database)
        self._at_once = at_once
        self._result = Result(seed)
        self._lock = threading.Lock()
        self._living: set[Story] = set()
        self._refusals: list[tuple[datetime, datetime]] = []
        self._long_outages: list[tuple[datetime, datetime]] = []

    def run(self, numbers: Iterable[int], *, tell: Callable[[str], None] = lambda _: None) -> Result:
        """Run and judge; every violation is told with the whole story of its run."""
        begun = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(self._sops)
            stack.enter_context(self._proxy)
            stack.enter_context(hurried())
            stack.enter_context(_observed())
            runs = [self._prepare(plan_run(self._seed, number)) for number in numbers]
            stack.enter_context(mock.patch.dict(os.environ, self._connections(runs)))
            stack.enter_context(self._accidents())
            with ThreadPoolExecutor(self._at_once, thread_name_prefix="run") as pool:
                for plan, judgement, story in pool.map(self._run_one, runs):
                    self._take_in(plan, judgement, story, tell)
        self._result.seconds = time.monotonic() - begun
        return self._result

    def _take_in(self, plan: RunPlan, judgement: Judgement, story: Story, tell: Callable[[str], None]) -> None:
        self._result.runs += 1
        self._result.violations.update(kind for kind, _ in judgement.violations)
        self._result.granted.update(judgement.granted)
        if self._result.runs % _RUNS_BETWEEN_LINES == 0:
            tell(f"{self._result.runs} runs, {sum(self._result.violations.values())} promises broken")
        if judgement.violations:
            found = "\n".join(f"{kind.upper()}: {text}" for kind, text in judgement.violations)
            number = plan.name.removeprefix("run-")
            text = (
                f"--- seed {self._seed}, run {number} (--seed {self._seed} --only {number})\n{plan}\n{story}\n{found}"
            )
            self._result.stories.append(text)
            tell(text)

    def _prepare(self, plan: RunPlan) -> _Run:
        story = Story()
        traffic = Traffic(plan.random_for("faults"), plan.fault_rate, plan.fault_budget, story, plan.outage)
        return _Run(plan, story, traffic, self._proxy.gateway_for(plan.name, traffic))

    def _connections(self, runs: list[_Run]) -> dict[str, str]:
        """Return the environment's variables for all of them: it must not change while threads read it."""
        return {
            _variable(_DIRECT_CONN_ID): self._connection_json(self._sops.url, "apigw", 30),
            **{
                _variable(run.conn_id): self._connection_json(run.gateway, run.plan.gateway, CLIENT_TIMEOUT_SECONDS)
                for run in runs
            },
        }

    def _run_one(self, run: _Run) -> tuple[RunPlan, Judgement, Story]:
        plan, story, traffic = run.plan, run.story, run.traffic
        story.begin()
        run_id = f"faults__{plan.seed}"
        life = AirflowLife(plan, run.conn_id, run_id, story)
        keyword = TaskKey.of(dag_id=life.ti.dag_id, run_id=run_id, task_id=life.ti.task_id, map_index=-1, max_tries=0)
        tokens = (current_story.set(story), _current_life.set(life))
        ending, surprise = None, None
        with self._lock:
            self._living.add(story)
        try:
            with People(plan, self._database, _DIRECT_CONN_ID, keyword.keyword, story) as people:
                life.before_clear = people.wait_for_repair
                ending = life.live()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            surprise = error
            life.kept.keep_error(error)
        finally:
            current_story.reset(tokens[0])
            _current_life.reset(tokens[1])
            with self._lock:
                self._living.discard(story)
                self._result.faults += traffic.injected + life.blows
                self._result.outages += len(traffic.outages)
        self._proxy.let_all_land(plan.name)
        evidence = self._evidence(plan, life, ending, surprise, self._settled(keyword.keyword), traffic)
        for task in evidence.tasks:
            story.tell("SOPS", str(task))
        return plan, judge_run(evidence), story

    def _evidence(
        self,
        plan: RunPlan,
        life: AirflowLife,
        ending: Ending | None,
        surprise: BaseException | None,
        tasks: list[RanTask],
        traffic: Traffic,
    ) -> Evidence:
        final = next((task for task in tasks if task.id == life.ti.xcoms.get("sops_task_id")), None)
        outputs: dict[str, Any] | None = None
        if final is not None and final.state == "FINISHED":
            outputs = {k: v for k, v in self._outputs(final.id).items() if k not in _PASSWORD_OUTPUTS}
        return Evidence(
            plan=plan,
            ending=ending,
            generation=life.ti.max_tries,
            xcoms=life.ti.xcoms,
            tasks=tasks,
            exchanges=traffic.exchanges,
            outputs=outputs,
            texts=[*life.kept.texts, *(("log", text) for text in life.story.logged)],
            # The parts that no escaping changes.
            secrets=(self._sops.app_secret.rpartition("=")[2], plan.secret_constant.rpartition("+")[2]),
            refusals=(*self._refusals, *traffic.outages),
            burnt=life.burnt,
            long_outages=tuple(self._long_outages),
            surprise=surprise,
        )

    def _outputs(self, task_id: int) -> dict[str, Any]:
        deadline = time.monotonic() + _BACK_SECONDS
        while True:
            try:
                return self._sops.task_outputs(task_id)
            except requests.RequestException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _settled(self, keyword: str) -> list[RanTask]:
        """Return the tasks once SOPS has started what it was asked to start."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            tasks = self._database.tasks(keyword)
            if not any(task.start_is_pending for task in tasks) or time.monotonic() > deadline:
                return tasks
            time.sleep(0.05)

    def _connection_json(self, root: str, gateway: str, timeout_seconds: float) -> str:
        extra = {
            "gateway": gateway,
            "bk_username": BK_USERNAME,
            "bk_biz_id": BK_BIZ_ID,
            "timeout_seconds": timeout_seconds,
            "max_answer_mb": 4,
        }
        return json.dumps(
            {"conn_type": "sops", "host": root, "login": APP_CODE, "password": self._sops.app_secret, "extra": extra}
        )

    @contextmanager
    def _accidents(self) -> Iterator[None]:
        """Kill local_sops, and close the proxy's door, now and then."""
        over = threading.Event()
        chance = random.Random(f"{self._seed}/accidents")
        failures: list[Exception] = []

        def happen() -> None:
            try:
                make_them_happen()
            except Exception as error:  # noqa: BLE001 - it is raised where the campaign ends
                failures.append(error)

        def make_them_happen() -> None:
            while not over.wait(chance.uniform(2.0, 6.0)):
                if chance.random() < 0.3:
                    self._tell_all("local_sops is killed with -9")
                    begun = datetime.now(UTC)
                    self._sops.kill_and_restart(chance.uniform(0.0, 0.8))
                    self._note_long_outage(begun)
                    self._tell_all("local_sops is back")
                else:
                    self._tell_all("connections are refused")
                    begun = datetime.now(UTC)
                    self._refusals.append((begun, begun + timedelta(seconds=60)))
                    self._proxy.refuse_connections(chance.uniform(0.1, 0.8))
                    self._refusals[-1] = (begun, datetime.now(UTC))
                    self._tell_all("connections are accepted again")

        thread = threading.Thread(target=happen, name="accidents", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)
            if failures:
                raise failures[0]

    def _note_long_outage(self, begun: datetime) -> None:
        """A busy machine may need longer to start local_sops again than the runs bear."""
        ended = datetime.now(UTC)
        if ended - begun > timedelta(seconds=_LONG_PART * MAX_OUTAGE_SECONDS):
            self._long_outages.append((begun, ended))

    def _tell_all(self, what: str) -> None:
        with self._lock:
            self._result.faults += what.endswith(("-9", "refused"))
            for story in self._living:
                story.tell("accident", what)


def _variable(conn_id: str) -> str:
    return f"AIRFLOW_CONN_{conn_id.upper()}"


@contextmanager
def _observed() -> Iterator[None]:
    """Listen to every log, stand in for Airflow's records, and let workers die between requests."""
    send = SopsHook._send

    def send_or_die(hook: SopsHook, *args: Any, **kwargs: Any) -> Any:
        life = _current_life.get()
        return send(hook, *args, **kwargs) if life is None else life.around_request(lambda: send(hook, *args, **kwargs))

    handler = StoryHandler()
    # Airflow's own configuration closes some of these to the root's handlers.
    loggers = [logging.getLogger(name) for name in ("", "airflow_provider_sops", "tests.faults", "urllib3", "aiohttp")]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(SopsHook, "_send", send_or_die))
        for question in ("_ask_supervisor", "_ask_database"):
            stack.enter_context(mock.patch.object(task_instance_state, question, recorded_state))
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
            if logger.name != "root":
                logger.propagate = False
            logger.addHandler(handler)
        try:
            yield
        finally:
            for logger, level, propagate in before:
                logger.removeHandler(handler)
                logger.setLevel(level)
                logger.propagate = propagate

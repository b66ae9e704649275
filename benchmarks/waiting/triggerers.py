"""Real triggerers and what they cost."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil  # type: ignore[import-untyped]

from demo.child_process import ChildProcess

if TYPE_CHECKING:
    from benchmarks.waiting.deferred_tasks import DeferredTasks


@dataclass(frozen=True)
class Usage:
    """What the triggerers have used since they were started.

    :param cpu_seconds: user and system time of all processes.
    :param runner_megabytes: resident memory of the processes that run the triggers.
    """

    cpu_seconds: float
    runner_megabytes: float


class Triggerers:
    """Programs ``airflow triggerer``, started one by one. A context manager that stops them.

    Each is two processes: a supervisor, which talks to the database, and a runner, which runs the triggers.

    :param tasks: whose home they work in.
    :param environment: variables besides the home's.
    """

    def __init__(self, tasks: DeferredTasks, environment: dict[str, str]) -> None:
        self._home = tasks.home
        self._environment = tasks.environment | environment
        self._programs: list[ChildProcess] = []
        self._supervisors: list[psutil.Process] = []
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._running.close()

    def start_another(self) -> None:
        """Start one more and return at once."""
        number = len(self._programs) + 1
        program = ChildProcess(
            f"airflow triggerer {number}",
            [str(Path(sys.executable).with_name("airflow")), "triggerer", "--skip-serve-logs"],
            log_path=self._home / f"triggerer{number}.log",
            environment=self._environment,
        )
        known = {child.pid for child in psutil.Process().children()}
        self._running.enter_context(program)
        self._programs.append(program)
        self._supervisors += [child for child in psutil.Process().children() if child.pid not in known]

    def ask_to_stop(self) -> None:
        """Ask all of them to stop and return at once."""
        for program in self._programs:
            program.ask_to_stop()

    def check(self) -> None:
        """Make sure that all run.

        :raises ChildFailedError: one has ended.
        """
        for program in self._programs:
            program.check()

    def usage(self) -> Usage:
        """Return what they have used up to now."""
        runners = [child for supervisor in self._supervisors for child in supervisor.children()]
        times = [process.cpu_times() for process in [*self._supervisors, *runners]]
        return Usage(
            cpu_seconds=sum(time.user + time.system for time in times),
            runner_megabytes=sum(runner.memory_info().rss for runner in runners) / 1e6,
        )

"""What the triggers of this package have in common: JSON arguments, and the rules of a life in the triggerer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from airflow.providers.common.compat.sdk import conf
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sops import __version__
from airflow_provider_sops.service.errors import InvalidParameterError, ServiceError
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.task_instance.state import is_ended_by_decision_async
from airflow_provider_sops.task_instance.told_lines import ToldLines
from airflow_provider_sops.version_compat import AIRFLOW_FAILS_RESUMED_TASKS, AIRFLOW_V_3_3_PLUS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Coroutine, Mapping

    from airflow_provider_sops.task_instance.log import TaskLog

#: The earliest time after its start at which a trigger fires. The worker that deferred the task needs up to five
#: seconds to exit. If the task were queued again before that, the scheduler would take the exit for the task's own end,
#: find it not ended, and fail it.
WORKER_EXIT_SECONDS = 6.0
#: The same where a worker is a pod, or who knows what: a KubernetesExecutor learns of the end of a pod, which takes
#: some seconds more. Read in its source, not tried.
POD_EXIT_SECONDS = 10.0
#: Executors that never tell the scheduler of that exit once the task is queued again: they keep one result for a task,
#: the newest.
_FORGET_EARLIER_EXITS = frozenset({"CeleryExecutor"})
#: Executors that tell of the exit of each process at once.
_TELL_OF_PROCESSES = frozenset({"LocalExecutor", "SequentialExecutor"})

_warned_about: set[tuple[str, tuple[str, ...]]] = set()
#: The event loop itself holds its tasks weakly.
_unfinished: set[asyncio.Task[None]] = set()


class Ended(Protocol):
    """How a wait ended."""

    def to_event(self) -> dict[str, Any]:
        """Return it as plain JSON data."""


class WaitingTrigger(BaseTrigger):
    """A trigger that waits for something at a service.

    It stays in Airflow's database while the package is upgraded, and a worker may be ahead of the triggerer. If it
    refused an argument, a waiting task would fail, so it ignores what it does not know and logs that.

    :param unknown: the names of such arguments.
    """

    #: The path by which Airflow finds the class; triggers of earlier versions in a database have it too.
    class_path: ClassVar[str]
    #: The arguments, which are attributes too. Their values are JSON or have ``to_json``.
    argument_names: ClassVar[tuple[str, ...]]
    #: What it waits for, for errors, and the error to raise for an event that does not name it.
    kind_of_target: ClassVar[str]
    invalid: ClassVar[type[InvalidParameterError]]
    #: What ending the target is called, for the log.
    word_for_stopped: ClassVar[str] = "stopped"

    def __init__(self, unknown: Collection[str] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._unknown = tuple(unknown)
        self._told: ToldLines | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger again; all of it is JSON."""
        return (self.class_path, self.arguments)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as JSON."""
        values = {name: getattr(self, name) for name in self.argument_names}
        return {name: value.to_json() if hasattr(value, "to_json") else value for name, value in values.items()}

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Return the trigger that sent an event, so that a wait can continue from it.

        :raises InvalidParameterError: such a trigger did not send the event.
        """
        arguments = read_mapping(read_mapping(event).get("trigger"))
        if not cls.has_target(arguments):
            raise cls.invalid(
                f"a trigger sent an event without the id of {cls.kind_of_target}: {event!r}",
                advice="Check that worker and triggerer run the same version of airflow-provider-sops.",
            )
        return cls(**{name: arguments[name] for name in cls.argument_names if name in arguments})

    @classmethod
    def has_target(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments contain the id of what to wait for."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the end and fire it."""
        tell_unknown_arguments(self, self._unknown, self.log)
        try:
            async with outliving_the_worker():
                result = await self.follow()
        except asyncio.CancelledError:
            # Before Airflow 3.3 triggers have no on_kill; a cancelled run is the only sign.
            if not AIRFLOW_V_3_3_PLUS:
                await to_its_end(self._stop_if_ended())
            raise
        # Finding a host's name out may take a while.
        told = await asyncio.to_thread(self.told.in_event)
        yield TriggerEvent({**result.to_event(), "trigger": self.arguments, **told})  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Stop the target if somebody has ended the waiting task (Airflow 3.3 and later)."""
        await to_its_end(self._stop_if_ended())

    async def follow(self) -> Ended:
        """Wait for the end."""
        raise NotImplementedError

    @property
    def told(self) -> ToldLines:
        """The task's log; what a wait writes to it goes to the worker too, with the event."""
        if self._told is None:
            self._told = ToldLines(self.log)
        return self._told

    @property
    def target(self) -> str:
        """What it waits for, for the log."""
        raise NotImplementedError

    @property
    def stops_on_kill(self) -> bool:
        """Whether the target is stopped when a person ends the waiting task."""
        return False

    async def stop(self) -> None:
        """Stop the target.

        :raises ServiceError: that did not work.
        """
        raise NotImplementedError

    async def _stop_if_ended(self) -> None:
        """Stop the target if a person has ended the task; a restarted or replaced triggerer stops nothing."""
        if not self.stops_on_kill:
            return
        if not await is_ended_by_decision_async(self.task_instance):
            self.log.info("%s continues: nobody has ended this task.", self.target)
            return
        try:
            await self.stop()
        except ServiceError as error:
            self.log.error("%s could not be %s and may still run: %s", self.target, self.word_for_stopped, error)
        else:
            self.log.info("%s is %s since this task was ended in Airflow.", self.target, self.word_for_stopped)


@contextlib.asynccontextmanager
async def outliving_the_worker() -> AsyncIterator[None]:
    """Make the block last until the worker that deferred the task has certainly exited, where that matters."""
    loop = asyncio.get_running_loop()
    earliest = loop.time() + exit_seconds(conf.get("core", "executor", fallback=""))
    yield
    await asyncio.sleep(max(0.0, earliest - loop.time()))


def exit_seconds(executors: str) -> float:
    """Return how late the exit of a worker may still fail a task that has been queued again.

    A trigger does not know which executor runs its task, so the latest counts.

    :param executors: Airflow's setting ``[core] executor``: names or class paths, with ``,`` in between, each perhaps
        after an alias and ``:``; for several teams with ``;`` in between, each after the team's name and ``=``.
    """
    of_teams = (team.rpartition("=")[2] for team in executors.split(";"))
    names = {each.rpartition(":")[2].rpartition(".")[2].strip() for team in of_teams for each in team.split(",")}
    if names <= _FORGET_EARLIER_EXITS and not AIRFLOW_FAILS_RESUMED_TASKS:
        return 0.0
    return WORKER_EXIT_SECONDS if names <= _FORGET_EARLIER_EXITS | _TELL_OF_PROCESSES else POD_EXIT_SECONDS


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that continues even if the await is cancelled.

    The triggerer cancels a trigger again each second until it has ended, its ``on_kill`` included.
    """
    task = asyncio.create_task(work)
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    await asyncio.shield(task)


def describe_unknown_arguments(trigger: str, names: Collection[str]) -> str:
    """Return what to say about arguments that a trigger does not know.

    :param trigger: the name of its class.
    """
    return (
        f"{trigger} of airflow-provider-sops {__version__} ignores arguments that it does not know: "
        f"{', '.join(sorted(names))}. If a newer version created the trigger, upgrade the triggerers; otherwise "
        "correct the names."
    )


def tell_unknown_arguments(trigger: object, names: Collection[str], log: TaskLog) -> None:
    """Write to the log which arguments a trigger ignores.

    The first time in this process as a warning, then as info: in a busy triggerer thousands of tasks may have the same
    ones, and each task's own log should still say so.

    :param trigger: the trigger, as it begins to run.
    :param names: the arguments' names; often none.
    """
    if not names:
        return
    kind = type(trigger).__name__
    what = (kind, tuple(sorted(names)))
    level = logging.INFO if what in _warned_about else logging.WARNING
    _warned_about.add(what)
    log.log(level, "%s", describe_unknown_arguments(kind, names))

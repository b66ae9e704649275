"""Follow one DAG run and its SOPS task: a line for every change, a table at the end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pendulum

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import NodeStatus, TaskStatus
    from demo.airflow_api import AirflowApi
    from demo.airflow_processes import AirflowProcesses

DAG_ID = "sops_run_task"
TASK_ID = "deploy"
_ENDED = {"success", "failed"}
_LOOK_AGAIN_SECONDS = 0.5
_LOG_LINES = 40


class RunFailedError(Exception):
    """The DAG was not parsed, or its run did not succeed. The text holds the log that says why."""


@dataclass
class ChangeLog:
    """Prints a line with the time since the start whenever something has a new state."""

    started: float = field(default_factory=time.monotonic)
    _states: dict[tuple[str, str], str] = field(default_factory=dict)

    def say(self, source: str, text: str) -> None:
        """Print one line."""
        print(f"  {time.monotonic() - self.started:6.1f} s  {source:8}{text}", flush=True)

    def states(self, source: str, states: Iterable[tuple[str, str, str]]) -> None:
        """Print what has changed since the last call.

        :param states: key, name and state of everything that has one.
        """
        for key, name, state in states:
            if self._states.get((source, key)) != state:
                self._states[(source, key)] = state
                self.say(source, f"{name}: {state}")


class FollowedRun:
    """One run of the example DAG.

    :param hook: reaches the SOPS that the DAG uses.
    :param processes: checked while waiting: a run whose Airflow has died would never end.
    """

    def __init__(self, api: AirflowApi, hook: SopsHook, processes: AirflowProcesses) -> None:
        self._api = api
        self._hook = hook
        self._processes = processes
        self._log = ChangeLog()
        self.run_id = ""
        self.sops_task_id: int | None = None

    def follow(self, *, parse_seconds: float = 60, run_seconds: float = 120) -> None:
        """Trigger the DAG and print each change in Airflow and in SOPS until the run has ended.

        :raises RunFailedError: the DAG cannot be parsed, the run failed, or it took too long.
        """
        self._wait_for_dag(parse_seconds)
        self._api.unpause(DAG_ID)
        self.run_id = self._api.trigger(DAG_ID)
        self._log.say("Airflow", f"run {self.run_id} of the DAG {DAG_ID} triggered")
        deadline = time.monotonic() + run_seconds
        while (state := self._look()) not in _ENDED:
            if time.monotonic() > deadline:
                raise RunFailedError(f"The run was still {state} after {run_seconds:g} s.\n{self._why()}")
            self._processes.check()
            time.sleep(_LOOK_AGAIN_SECONDS)
        self._log.say("Airflow", f"run: {state}")
        if state != "success":
            raise RunFailedError(f"The run ended as {state}.\n{self._why()}")

    def sops_status(self) -> TaskStatus | None:
        """Return the SOPS task's state and nodes, ``None`` before Airflow knows its id."""
        if self.sops_task_id is None:
            sops_task_id = self._api.xcom(DAG_ID, self.run_id, TASK_ID, "sops_task_id")
            if sops_task_id is None:
                return None
            self.sops_task_id = int(sops_task_id)
            self._log.say("SOPS", f"task {self.sops_task_id} created")
        return self._hook.get_task_status(self.sops_task_id, fresh=True)

    def summary(self) -> str:
        """Return the node table and the outputs, from SOPS and Airflow at the end."""
        status = self.sops_status()
        nodes = [] if status is None else named_nodes(status)
        outputs: Any = self._api.xcom(DAG_ID, self.run_id, TASK_ID, "return_value")
        return "\n".join(
            [
                *node_table(nodes),
                "",
                "Outputs of the flow, in Airflow's XCom:",
                *(f"  {name} = {json.dumps(value, ensure_ascii=False)}" for name, value in outputs.items()),
            ]
        )

    def _wait_for_dag(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._api.knows_dag(DAG_ID):
            self._processes.check()
            if errors := self._api.import_errors():
                raise RunFailedError("The example DAGs cannot be parsed.\n" + "\n".join(errors))
            if time.monotonic() > deadline:
                raise RunFailedError(
                    f"The DAG {DAG_ID} was not there after {seconds:g} s.\n{self._processes.log_tails()}"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _look(self) -> str:
        """Print what has changed in both; return the run's state."""
        state = self._api.run_state(DAG_ID, self.run_id)
        tasks = self._api.task_states(DAG_ID, self.run_id)
        self._log.states("Airflow", ((name, f"task {name}", task_state) for name, task_state in tasks.items()))
        if (status := self.sops_status()) is not None:
            nodes = named_nodes(status)
            self._log.states("SOPS", ((node.id, f"node {node.name}", str(node.state.value)) for node in nodes))
            self._log.states("SOPS", [("task", f"task {self.sops_task_id}", str(status.state.value))])
        return state

    def _why(self) -> str:
        """Return the log's end of every failed task, or the programs' own logs if none has failed."""
        tasks = self._api.task_states(DAG_ID, self.run_id)
        failed = [name for name, state in tasks.items() if state == "failed"]
        parts = [
            "\n".join([f"--- log of the task {name}", *self._api.task_log(DAG_ID, self.run_id, name)[-_LOG_LINES:]])
            for name in failed
        ]
        return "\n".join(parts) or self._processes.log_tails()


def named_nodes(status: TaskStatus) -> list[NodeStatus]:
    """Return the reached nodes that have a name, in the order of their start; gateways and events have none."""
    nodes = [node for _, node in status.walk() if node.name]
    return sorted(nodes, key=lambda node: (node.start_time is None, node.start_time, node.name))


def node_table(nodes: list[NodeStatus]) -> list[str]:
    """Return a table of nodes: name, state, start and duration."""
    width = max([len(node.name) for node in nodes], default=4)
    head = f"  {'Node':{width}}  {'State':10}  {'Start':8}  Duration"
    return [
        head,
        *(
            f"  {node.name:{width}}  {node.state.value:10}  {_clock(node.start_time):8}  {node.elapsed_seconds:6} s"
            for node in nodes
        ),
    ]


def _clock(moment: pendulum.DateTime | None) -> str:
    return "" if moment is None else moment.in_timezone("local").format("HH:mm:ss")

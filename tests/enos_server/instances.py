"""The instances of a server's flows, and how they look in answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tests.enos_server.plays import CANCEL, ENDED, RUNNING, WORDS, Flow, Play, TaskPlay, at

_LOCAL = timezone(timedelta(hours=8))
_RUN_MODE = {
    "taskMode": 1,
    "cpu": 0.5,
    "memory": 1.0,
    "maxParallel": 0,
    "keyType": 0,
    "datasourceId": 0,
    "path": "",
    "content": "",
}


@dataclass
class Instance:
    """One run of a flow.

    :param looks: how often it was looked at; each look brings it on by one.
    :param kind: 0 manual, 1 periodic, 2 temporary.
    :param stoppable: what EnOS has submitted already cannot be stopped.
    """

    flow: Flow
    play: Play
    trigger_ms: int
    kind: int
    parameters: dict[str, Any] = field(default_factory=dict)
    from_task_id: int | None = None
    looks: int = 0
    cancelled_at: int | None = None
    stoppable: bool = True

    @property
    def instance_id(self) -> str:
        """Flow id and trigger time, which is UTC here and local everywhere else."""
        return f"{self.flow.flow_id}-{_moment(self.trigger_ms).astimezone(UTC):%Y%m%d%H%M%S}"

    @property
    def status(self) -> int:
        """The flow's status at this look."""
        return self._at(self.play.statuses)

    def look(self) -> None:
        """Go on by one look."""
        self.looks += 1

    def cancel(self) -> bool:
        """Stop it; ``False`` where that is not possible."""
        if not self.stoppable or self.cancelled_at is not None or self.status in ENDED - {-1}:
            return False
        self.cancelled_at = self.looks
        return True

    def task_named(self, task_instance_id: str) -> str | None:
        """Return the name of the task that an id belongs to."""
        names = {self.task_instance_id(name): name for name in self.play.tasks}
        return names.get(task_instance_id)

    def task_instance_id(self, name: str) -> str:
        """Return the id of one of its tasks' instances."""
        return f"{self._task_id(name)}-{self.instance_id.partition('-')[2]}"

    def as_answer(self) -> dict[str, Any]:
        """Return the answer of ``flowInstances?action=get``."""
        tasks = [
            {
                "taskName": name,
                "taskInstId": self.task_instance_id(name),
                "taskId": self._task_id(name),
                "nodeId": number,
                "x": 100,
                "y": 100 * number,
                "status": WORDS.get(self._at(task.statuses), "NONE"),
            }
            for number, (name, task) in enumerate(self.play.tasks.items())
        ]
        return self._base({"tasks": tasks, "flows": []})

    def as_item(self) -> dict[str, Any]:
        """Return the item of a list: its graph has other names and no statuses."""
        tasks = [{"task_name": name, "task_id": self._task_id(name)} for name in self.play.tasks]
        return {**self._base({"tasks": tasks}), "isCancelled": self.cancelled_at is not None}

    def task_as_answer(self, name: str) -> dict[str, Any]:
        """Return the answer of ``taskInstances?action=get``."""
        task: TaskPlay = self.play.tasks[name]
        status = self._at(task.statuses)
        return {
            "instanceId": self.task_instance_id(name),
            "taskId": self._task_id(name),
            "taskName": name,
            "cycle": "H",
            "status": status,
            "runNum": 1 + at(task.recalls, self.looks),
            "type": 3,
            "syncType": None,
            "freq": None,
            "ifPre": 0,
            "stsDesc": WORDS.get(status, ""),
            "recallNum": at(task.recalls, self.looks),
            "triggerTime": _text(self.trigger_ms),
            "timeout": 300,
            "recallLimit": task.recall_limit,
            "recallInterval": 0,
            "startTime": None if status == 0 else _text(self.trigger_ms),
            "endTime": _text(self.trigger_ms) if status in ENDED else None,
            "timeStamp": "Tue Feb 02 17:35:00 CST 2021",
            "isTimeout": status == 7,
            "flowInstId": self.instance_id,
            "doAs": "data_o1",
            "alert": False,
            "runMode": json.dumps(_RUN_MODE),
            "cmd": f"run {name}",
            "hasResourceBefore": False,
            "resourceName": "",
            "fileName": "",
            "resourceVersion": "",
        }

    def _at(self, statuses: Any) -> int:
        if self.cancelled_at is None:
            return at(statuses, self.looks)
        status = at(statuses, self.cancelled_at)
        return status if status in ENDED else CANCEL

    def _task_id(self, name: str) -> int:
        return self.flow.flow_id * 100 + list(self.play.tasks).index(name)

    def _base(self, graph: dict[str, Any]) -> dict[str, Any]:
        status = self.status
        return {
            "instanceId": self.instance_id,
            "flowId": self.flow.flow_id,
            "flowName": self.flow.name,
            "freq": None,
            "cycle": "D",
            "parameters": json.dumps([{"key": key, "value": value} for key, value in self.parameters.items()]),
            "doAs": "data_o1",
            "graph": json.dumps(graph),
            "status": status,
            "statusDesc": WORDS.get(status, ""),
            "triggerTime": _text(self.trigger_ms),
            "startTime": _text(self.trigger_ms) if status >= RUNNING else None,
            "endTime": _text(self.trigger_ms) if status in ENDED else None,
            "owner": self.flow.owner,
            "alertMode": 0,
            "hasEditPri": True,
            "hasReadPri": True,
        }


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=_LOCAL)


def _text(milliseconds: int) -> str:
    return f"{_moment(milliseconds):%Y-%m-%d %H:%M:%S}"

"""Turns a flow of blocks into a web tree, as SOPS's editor would write it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tests.pipeline_trees.blocks import Block, Conditional, Exclusive, Flow, Loop, Parallel, Sub, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A moment that has passed: with ``force_check`` the timer fails at once.
_PAST = "2020-01-01 00:00:00"


def web_tree(flow: Flow) -> Any:
    """Build the tree of a flow that is not empty.

    Ids count from 1 on every level, so those of different levels are equal. ``converge_gateway_id`` tells which
    converge gateway belongs to which fork, as SOPS itself notes it.
    """
    return _Builder().tree(flow)


@dataclasses.dataclass(frozen=True)
class _Exit:
    """A node, or one branch of a gateway, whose flow still has to be led somewhere."""

    node_id: str
    evaluate: str | None = None
    is_default: bool = False


class _Builder:
    def __init__(self) -> None:
        self._activities: dict[str, Any] = {}
        self._gateways: dict[str, Any] = {}
        self._flows: dict[str, Any] = {}
        self._constants: dict[str, Any] = {}
        self._number = 0
        self._start = self._event("start", "EmptyStartEvent")
        self._end = self._event("end", "EmptyEndEvent")

    def tree(self, flow: Flow) -> Any:
        self._connect(self._sequence(flow, [_Exit("start")]), "end")
        for node in (*self._gateways.values(), *self._activities.values(), self._start):
            forks = node["type"] in ("ParallelGateway", "ExclusiveGateway", "ConditionalParallelGateway")
            if not forks:
                (node["outgoing"],) = node["outgoing"]
        self._start["incoming"] = self._end["outgoing"] = ""
        return {
            "start_event": self._start,
            "end_event": self._end,
            "activities": self._activities,
            "gateways": self._gateways,
            "flows": self._flows,
            "constants": self._constants,
            "outputs": list(self._constants),
            "line": [],
            "location": [],
        }

    def _sequence(self, flow: Flow, exits: Sequence[_Exit]) -> Sequence[_Exit]:
        for block in flow:
            exits = self._block(block, exits)
        return exits

    def _block(self, block: Block, exits: Sequence[_Exit]) -> Sequence[_Exit]:
        match block:
            case Task():
                return [_Exit(self._task(block, exits))]
            case Sub():
                return [_Exit(self._subprocess(block, exits))]
            case Parallel():
                return self._forked(block, exits)
            case Conditional():
                return self._forked(block, exits)
            case Exclusive():
                return self._exclusive(block, exits)
            case Loop():
                return self._loop(block, exits)

    def _task(self, task: Task, exits: Sequence[_Exit]) -> str:
        node_id = self._new_id("a")
        inputs: dict[str, Any] = {"bk_display_message": node_id}
        code, version = "bk_display", "1.0"
        if task.fails or task.wait_seconds:
            code, version = "sleep_timer", "legacy"
            inputs = {"bk_timing": _PAST if task.fails else str(task.wait_seconds), "force_check": True}
        data = {key: {"hook": False, "need_render": True, "value": value} for key, value in inputs.items()}
        self._activities[node_id] = self._activity(
            node_id,
            "ServiceActivity",
            component={"code": code, "version": version, "data": data},
            optional=task.optional,
            error_ignorable=task.error_ignorable,
            auto_retry={"enable": task.retries > 0, "interval": 0, "times": max(task.retries, 1)},
            timeout_config={"enable": False, "seconds": 10, "action": "forced_fail"},
        )
        self._connect(exits, node_id)
        return node_id

    def _subprocess(self, block: Sub, exits: Sequence[_Exit]) -> str:
        node_id = self._new_id("s")
        self._activities[node_id] = self._activity(
            node_id,
            "SubProcess",
            pipeline=web_tree(block.flow),
            optional=block.optional,
            error_ignorable=False,
            template_id="1",
            always_use_latest=True,
            hooked_constants=[],
            scheme_id_list=[],
        )
        self._connect(exits, node_id)
        return node_id

    def _forked(self, block: Parallel | Conditional, exits: Sequence[_Exit]) -> Sequence[_Exit]:
        conditional = isinstance(block, Conditional)
        fork = self._gateway("ConditionalParallelGateway" if conditional else "ParallelGateway", exits)
        ends: list[_Exit] = []
        for number, branch in enumerate(block.branches):
            first = _Exit(fork)
            if isinstance(block, Conditional):
                is_default = block.has_default and number == len(block.branches) - 1
                first = _Exit(fork, "1 == 1" if block.chosen[number] else "1 == 0", is_default)
            ends += self._sequence(branch, [first])
        converge = self._gateway("ConvergeGateway", ends)
        self._gateways[fork]["converge_gateway_id"] = converge
        return [_Exit(converge)]

    def _exclusive(self, block: Exclusive, exits: Sequence[_Exit]) -> Sequence[_Exit]:
        gateway = self._gateway("ExclusiveGateway", exits)
        ends: list[_Exit] = []
        for number, branch in enumerate(block.branches):
            is_last = number == len(block.branches) - 1
            first = _Exit(gateway, "1 == 1" if block.chosen == number else "1 == 0", block.has_default and is_last)
            branch_ends = self._sequence(branch, [first])
            if block.ends and is_last:
                self._connect(branch_ends, "end")
            else:
                ends += branch_ends
        return [_Exit(self._gateway("ConvergeGateway", ends))] if block.converges else ends

    def _loop(self, block: Loop, exits: Sequence[_Exit]) -> Sequence[_Exit]:
        counter = self._task(dataclasses.replace(block.counter, fails=False), exits)
        gateway = self._gateway("ExclusiveGateway", self._sequence(block.body, [_Exit(counter)]))
        key = f"${{rounds_{counter}}}"
        self._constants[key] = {
            "key": key,
            "name": key,
            "value": "",
            "desc": "",
            "index": len(self._constants),
            "source_type": "component_outputs",
            "source_info": {counter: ["_loop"]},
            "source_tag": "",
            "custom_type": "",
            "show_type": "hide",
            "validation": "",
            "version": "legacy",
        }
        self._connect([_Exit(gateway, f"{key} < {block.rounds}")], counter)
        exits = [_Exit(gateway, f"{key} >= {block.rounds}")]
        return [_Exit(self._gateway("ConvergeGateway", exits))] if block.converges else exits

    def _connect(self, exits: Sequence[_Exit], target: str) -> None:
        nodes = {"start": self._start, "end": self._end, **self._activities, **self._gateways}
        for leaving in exits:
            flow_id = self._new_id("l")
            self._flows[flow_id] = {
                "id": flow_id,
                "source": leaving.node_id,
                "target": target,
                "is_default": leaving.is_default,
            }
            nodes[leaving.node_id]["outgoing"].append(flow_id)
            nodes[target]["incoming"].append(flow_id)
            if leaving.is_default:
                default = {"flow_id": flow_id, "name": "default", "tag": f"branch_{leaving.node_id}_{target}"}
                self._gateways[leaving.node_id]["default_condition"] = default
            elif leaving.evaluate is not None:
                condition = {"evaluate": leaving.evaluate, "name": leaving.evaluate, "tag": f"branch_{flow_id}"}
                self._gateways[leaving.node_id]["conditions"][flow_id] = condition

    def _gateway(self, kind: str, exits: Sequence[_Exit]) -> str:
        node_id = self._new_id("g")
        gateway: dict[str, Any] = {"id": node_id, "name": "", "type": kind, "incoming": [], "outgoing": []}
        if kind in ("ExclusiveGateway", "ConditionalParallelGateway"):
            gateway["conditions"] = {}
        self._gateways[node_id] = gateway
        self._connect(exits, node_id)
        return node_id

    def _activity(self, node_id: str, kind: str, **fields: Any) -> Any:
        common: dict[str, Any] = {"loop": None, "stage_name": "", "skippable": True, "retryable": True, "labels": []}
        return {"id": node_id, "name": node_id, "type": kind, "incoming": [], "outgoing": [], **common, **fields}

    def _event(self, node_id: str, kind: str) -> Any:
        return {"id": node_id, "name": "", "type": kind, "incoming": [], "outgoing": []}

    def _new_id(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"

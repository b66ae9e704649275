"""Answers cached for some seconds, separately by each web process.

SOPS caches some calls in the memory of the process that answers. Its processes do not share the cache, so a client
served by several of them sees a task go back in time.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_sops.api.call import Answer, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from local_sops.api.call import Call

MAX_ENTRIES = 1024


def _always(answer: Answer) -> bool:
    return True


def _has_begun(answer: Answer) -> bool:
    return bool(answer["result"]) and answer["data"]["state"] != "CREATED"


@dataclass(frozen=True, slots=True)
class _Rule:
    seconds: float
    keeps: Callable[[Answer], bool]


_RULES = {
    "get_task_status": _Rule(10, _has_begun),
    "get_tasks_status": _Rule(10, _always),
    "get_task_detail": _Rule(60, _always),
    "get_plugin_list": _Rule(60, _always),
    "get_plugin_detail": _Rule(60, _always),
    "get_user_project_detail": _Rule(60, _always),
}


class AnswerCaches:
    """The caches of several web processes, which take turns with each call.

    The key is the call with its ids, the user and all parameters, even unknown ones: an unknown one with a new value
    gets a fresh answer. Answers before a view is reached (for a missing task) are not cached.

    :param processes: how many; 0 disables caching.
    :param clock: seconds, monotonic.
    """

    def __init__(self, processes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._processes: tuple[OrderedDict[Hashable, tuple[float, Answer]], ...] = tuple(
            OrderedDict() for _ in range(processes)
        )
        self._turns = {name: itertools.cycle(range(processes)) for name in _RULES}
        self._clock = clock
        self._lock = threading.Lock()

    def answer(self, call: Call, view: Callable[[Call], Answer]) -> Answer:
        """Answer from the cache of the process whose turn it is, or from the view.

        :raises Refusal: as raised by the view, if it is not cached.
        """
        rule = _RULES.get(call.name)
        if rule is None or not self._processes:
            return view(call)
        key = _key(call)
        with self._lock:
            process = self._processes[next(self._turns[call.name])]
            expires, kept = process.get(key, (0.0, None))
            if kept is not None and expires > self._clock():
                return kept
        fresh = _settled(call, view)
        if rule.keeps(fresh):
            with self._lock:
                process[key] = (self._clock() + rule.seconds, fresh)
                process.move_to_end(key)
                if len(process) > MAX_ENTRIES:
                    process.popitem(last=False)
        return fresh


def _settled(call: Call, view: Callable[[Call], Answer]) -> Answer:
    """Turn a view's own refusals into answers."""
    try:
        return view(call)
    except Refusal as refusal:
        if not refusal.traced:
            raise
        return refusal.answer


def _key(call: Call) -> Hashable:
    parameters: Any = call.body if call.raw_body else dict(call.query)
    return call.name, tuple(call.ids.items()), call.username, json.dumps(parameters, sort_keys=True)

"""The passwords that this process has read from SOPS, by the task or template that they belong to.

So an answer that refuses any call about a task, by whichever client, is searched for the passwords of that task.
Nothing here is ever stored or sent. What is remembered is bounded: the least recently used is forgotten first.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.service.secrets import secret_texts
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.models import TaskDetail
from airflow_provider_sops.sops.task_secrets import TaskSecrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airflow_provider_sops.service.http import HttpRequest

TASK, TEMPLATE, COMMON_TEMPLATE, PERIODIC_TASK = "task", "template", "common template", "periodic task"
#: How many tasks and templates are remembered, and how many characters of their passwords together.
_MOST_SUBJECTS, _MOST_CHARACTERS = 1_000, 100_000
#: More characters than these cannot be looked for in a moment; of a call that names no task, the newest count.
MOST_SOUGHT = 1_000

_PERIODIC_CALLS = frozenset(
    {
        "get_periodic_task_info",
        "set_periodic_task_enabled",
        "modify_cron_for_periodic_task",
        "modify_constants_for_periodic_task",
    }
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A task or a template.

    :param place: the address of the gateway to its SOPS.
    :param kind: ``TASK``, ``TEMPLATE``, ``COMMON_TEMPLATE`` or ``PERIODIC_TASK``.
    :param id: its id in SOPS.
    """

    place: str
    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of a subject.

    :param texts: as far as they are known in clear text.
    :param are_all: whether there are no others; ``None`` if that has not been worked out.
    """

    texts: frozenset[str]
    are_all: bool | None

    def __repr__(self) -> str:
        return f"<Passwords: {len(self.texts)}>"


class PasswordMemory:
    """Remembers passwords, from any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[Subject, Passwords] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def of(self, subject: Subject) -> Passwords | None:
        """Return the passwords of a subject; ``None`` if nothing is known of it."""
        with self._lock:
            found = self._known.get(subject)
            if found is not None:
                self._known.move_to_end(subject)
            return found

    def newest_of(self, place: str) -> frozenset[str]:
        """Return the passwords of the subjects at a gateway that were used last."""
        with self._lock:
            known = [passwords.texts for subject, passwords in self._known.items() if subject.place == place]
        texts: set[str] = set()
        for each in reversed(known):
            if sum(map(len, texts | each)) > MOST_SOUGHT:
                break
            texts |= each
        return frozenset(texts)

    def add(self, subject: Subject, texts: Iterable[str], *, are_all: bool | None) -> None:
        """Add passwords to those that are known of a subject.

        :param are_all: whether there are no others; ``None`` if that has not been worked out.
        """
        with self._lock:
            before = self._known.pop(subject, None)
            known = frozenset(texts) | (before.texts if before else frozenset())
            if before is not None:
                self._characters -= _size(before)
                # What was worked out still holds if no password is new.
                is_settled = known == before.texts and before.are_all is not None
                are_all = before.are_all if is_settled else are_all
            if sum(map(len, known)) > MOST_SOUGHT:
                known, are_all = frozenset(), False
            self._known[subject] = Passwords(known, are_all)
            self._characters += _size(self._known[subject])
            while len(self._known) > _MOST_SUBJECTS or self._characters > _MOST_CHARACTERS:
                _, forgotten = self._known.popitem(last=False)
                self._characters -= _size(forgotten)

    def forget(self, subject: Subject) -> None:
        """Forget whether the known passwords of a subject are all; somebody has changed it."""
        with self._lock:
            before = self._known.get(subject)
            if before is not None:
                self._known[subject] = Passwords(before.texts, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()
            self._characters = 0


#: Of this process.
memory = PasswordMemory()


def _size(passwords: Passwords) -> int:
    return sum(map(len, passwords.texts))


def parameters(request: HttpRequest) -> Mapping[str, Any]:
    """Return the parameters of a request that are not in its path."""
    if request.body is None:
        return dict(parse_qsl(urlsplit(request.url).query))
    try:
        return read_mapping(json.loads(request.body))
    except ValueError:
        return {}


def subjects(place: str, request: HttpRequest) -> list[Subject]:
    """Return the tasks and the template that a request is about."""
    return [Subject(place, kind, str(id_)) for kind, id_ in _named_by(request)]


def _named_by(request: HttpRequest) -> Iterator[tuple[str, Any]]:
    ids, given = request.ids, parameters(request)
    if "task_id" in ids:
        yield (PERIODIC_TASK if request.api in _PERIODIC_CALLS else TASK), ids["task_id"]
    if "template_id" in ids:
        is_common = (
            request.api == "get_common_template_info"
            or given.get("template_source") == "common"
            or given.get("common") in (True, "true")
        )
        yield COMMON_TEMPLATE if is_common else TEMPLATE, ids["template_id"]
    for task_id in read_list(given.get("task_id_list")):
        yield TASK, task_id


def learn(place: str, request: HttpRequest, data: Any) -> None:
    """Remember the passwords that an answer tells.

    :param place: the address of the gateway.
    :param request: what was asked.
    :param data: the answer's data.
    """
    data = read_mapping(data)
    about = subjects(place, request)
    if request.api == "claim_functionalization_task":
        memory.forget(about[0])
        return
    tree = read_mapping(data.get("pipeline_tree") or (data if request.api == "preview_task_tree" else None))
    if not tree:
        return
    given = read_mapping(parameters(request).get("constants"))
    secrets = TaskSecrets([TaskDetail.read({**data, "pipeline_tree": tree})])
    if request.api in ("create_task", "create_and_start_task", "fast_create_task"):
        about = [Subject(place, TASK, str(data.get("task_id")))]
    texts = secrets.known_texts | {text for key in _password_keys(tree) for text in secret_texts(given.get(key))}
    for subject in about:
        # A template may have been read without what is in its subprocesses.
        is_whole = subject.kind in (TASK, PERIODIC_TASK)
        memory.add(subject, texts, are_all=True if is_whole and not secrets.exist else None)


def _password_keys(tree: Mapping[str, Any]) -> list[str]:
    return [key for key, constant in read_mapping(tree.get("constants")).items() if is_password(constant)]

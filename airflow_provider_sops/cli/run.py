"""``airflow-sops run``: create a task, start it and follow it, with the care of the operators."""

from __future__ import annotations

import socket
import sys
import uuid
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.cli.commands import JSON, SUCCESS
from airflow_provider_sops.cli.following import follow_task, interrupted, report
from airflow_provider_sops.cli.server import BUSINESS, open_hook
from airflow_provider_sops.cli.task_view import open_view
from airflow_provider_sops.cli.terminal import write, write_json
from airflow_provider_sops.operators.sops.create import SopsTemplateOperator
from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce, start_task
from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON
from airflow_provider_sops.sops.task_key import MAX_NAME_LENGTH, TaskKey, elect
from airflow_provider_sops.sops.task_origin import TaskOrigin
from airflow_provider_sops.task_instance.origin import command_origin

if TYPE_CHECKING:
    import argparse

    from airflow_provider_sops.cli.task_view import TaskView
    from airflow_provider_sops.hooks.sops import SopsHook


class _Creation(SopsTemplateOperator):
    """Checks and creates a task as the operators do, over the command line's hook; never executed by Airflow."""

    def __init__(self, *, given_hook: SopsHook, **arguments: Any) -> None:
        super().__init__(task_id="run", **arguments)
        self.given_hook = given_hook

    @cached_property
    def hook(self) -> SopsHook:
        """The hook of the command line."""
        return self.given_hook

    def _origin(self) -> str:
        return command_origin(socket.gethostname())


class _Run:
    """One task, from its creation on.

    :param options: the command line.
    :param view: shows what happens.
    """

    def __init__(self, hook: SopsHook, options: argparse.Namespace, view: TaskView) -> None:
        self._hook = hook
        self._options = options
        self._view = view
        source = COMMON if options.common else BUSINESS
        self._creation = _Creation(
            given_hook=hook,
            template_id=options.template_id,
            name=options.name or self._template_name(),
            constants=_constants(options),
            exclude_task_nodes_id=options.exclude,
            template_schemes_id=options.scheme,
            template_source=source,
        )
        key = TaskKey.of(
            dag_id="airflow-sops",
            run_id=options.key or uuid.uuid4().hex,
            task_id=f"{source}.{options.template_id}",
            map_index=-1,
            max_tries=0,
        )
        origin = TaskOrigin(options.template_id, source, is_first_try=not options.key)
        self._once = ExactlyOnce(hook, key, view.log, origin=origin)
        self.name = self._creation.keyed_name(key)
        self.task_id: int | None = None
        self.url = ""

    def obtain(self) -> int:
        """Create the task, or find the one of an earlier call with the same key; return its id.

        :raises SopsError: SOPS refuses, or cannot be reached.
        """
        self._creation.check_parameters()
        # Also without a key: where tasks cannot be listed, a lost answer could not be made good.
        found = elect(self._once.find().current)
        if found is not None:
            self._view.log.info("An earlier call with this key has created SOPS task %s.", found.id)
            self.task_id = found.id
        else:
            self._creation.check_against_template()
            self.task_id = self._once.create(lambda: self._creation.create_task(self.name))
        return self.task_id

    def start(self, task_id: int) -> None:
        """Start the task, unless it was started before."""
        detail = self._hook.get_task_detail(task_id, fresh=True)
        self.url = detail.task_url
        if self._hook.get_task_status(task_id, fresh=True).state == TaskState.CREATED:
            start_task(self._hook, task_id, self._view.log)
        self._view.log.info("SOPS task %s is started: %s", task_id, self.url or "SOPS returned no URL for it")

    def _template_name(self) -> str:
        options = self._options
        read = self._hook.get_common_template_info if options.common else self._hook.get_template_info
        return read(options.template_id).name[:MAX_NAME_LENGTH]


def run(options: argparse.Namespace) -> int:
    """Run a template as the command line says, and return the exit code.

    :raises SopsError: SOPS refuses, or cannot be reached before the task is known.
    """
    with open_hook(options) as hook, open_view() as view:
        task: _Run | None = None
        try:
            task = _Run(hook, options, view)
            task_id = task.obtain()
            task.start(task_id)
            if options.detach:
                return _detached(task_id, task, options)
            followed = follow_task(hook, task_id, options, view)
        except KeyboardInterrupt:
            view.close()
            if task is None:
                raise
            return interrupted(task.task_id, task.url, task.name, options)
        view.close()
        return report(followed, options)


def _detached(task_id: int, task: _Run, options: argparse.Namespace) -> int:
    if options.output == JSON:
        write_json({"sops_task_id": task_id, "sops_task_url": task.url, "name": task.name})
    else:
        write(f"{task_id}\n")
    return SUCCESS


def _constants(options: argparse.Namespace) -> dict[str, Any]:
    """Return the constants by ``${key}``, those of single options over those of a file."""
    given: dict[str, Any] = {}
    if options.constants is not None:
        given = _from_file(options.constants)
    given |= dict(map(_pair, options.constant or ()))
    return {key if key.startswith("${") else f"${{{key}}}": value for key, value in given.items()}


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip(":"):
        raise SopsInvalidParameterError(
            f"--constant {text.partition('=')[0]!r} is not KEY=VALUE", advice="Write KEY=TEXT or KEY:=JSON."
        )
    if not key.endswith(":"):
        return key, value
    try:
        return key[:-1], read_json(value)
    except ValueError:
        raise SopsInvalidParameterError(
            f"--constant {key}=: the value is not JSON", advice="Write KEY=TEXT for a text."
        ) from None


def _from_file(path: Path) -> dict[str, Any]:
    text = sys.stdin.read() if path == Path("-") else path.read_text(encoding="utf-8")
    try:
        given = read_json(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise SopsInvalidParameterError(f"--constants {path}: this is not a JSON object", advice='Write {"key": ...}.')
    return given

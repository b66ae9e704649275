"""A notifier that runs a SOPS flow, and the key that finds its SOPS task again, so that it notifies once.

Airflow calls a callback on the worker, and once more in its DAG processor if the worker dies before it has reported the
task's end. The second context has less than the first: no exception, and in Airflow 3 no state. So the key is built
from what both have: the task instance, the try, and the notifier as written in the DAG file, before its templates are
rendered.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce, start_task
from airflow_provider_sops.service.text import word
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.site import site_of
from airflow_provider_sops.sops.task_key import MAX_NAME_LENGTH, TaskKey, elect
from airflow_provider_sops.sops.task_origin import Ownership, TaskOrigin
from airflow_provider_sops.task_instance.origin import notification_origin
from airflow_provider_sops.version_compat import mask_secret

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask

#: Set by ``SopsRunTaskOperator`` for ``on_node_failed``: distinguish one failure of a node from the next.
FAILURE_MARKS_KEY = "sops_failure_marks"

_ENDED_WELL = ("success", "skipped")
_ENDED_BADLY = ("failed", "up_for_retry")

_DEFAULT_NAME = "{{ dag.dag_id }}{% if ti is defined and reason is not defined %}.{{ ti.task_id }}{% endif %}"


class SopsTaskNotifier(BaseNotifier):
    """Create and start a SOPS task from a template, for example a flow that messages the people on duty.

    For ``on_failure_callback``, ``on_retry_callback``, ``on_success_callback``, ``on_skipped_callback`` and
    ``on_execute_callback`` of tasks, for the callbacks of DAGs, and for ``on_node_failed`` of ``SopsRunTaskOperator``.
    For missed deadlines (Airflow 3.1): ``DeadlineAlert(callback=AsyncCallback(SopsTaskNotifier, kwargs={...}))``; their
    templates know ``dag.dag_id``, ``run_id``, ``dag_run`` and ``deadline``. Not for ``sla_miss_callback`` of Airflow 2.

    Airflow may call a callback twice. Each try, each failure of nodes and each notifier has one SOPS task, found by the
    key in its name, as with the operators; it is created and started once. Two notifiers with the same arguments count
    as one: to use one as both ``on_execute_callback`` and ``on_failure_callback``, name them differently.

    It does not wait for the flow's end. Errors are logged and never raised, so they never hide the event that the
    notification is about.

    Calls get_task_list, get_template_info (if there are constants), create_task and start_task.

    :param template_id: id of the SOPS template. (templated)
    :param name: the task's name in SOPS, cut to 80 characters. Default: DAG and task id. (templated)
    :param constants: values for the template's constants, ``{"${key}": value}``. JSON types are kept. Unknown constants
        cause a warning; SOPS ignores them. If Airflow calls back in its DAG processor,
        ``exception`` is missing from the context: write ``{{ exception | default("unknown") }}``. (templated)
    :param template_source: ``business`` (default) or ``common`` for public templates. (templated)
    :param sops_conn_id: the Airflow connection of type ``sops``. (templated)
    :param bk_biz_id: the business; default: the connection's. (templated)
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's. (templated)
    :param context: set by Airflow when a deadline is missed.
    """

    template_fields: Sequence[str] = (
        "template_id",
        "name",
        "constants",
        "template_source",
        "sops_conn_id",
        "bk_biz_id",
        "scope",
    )

    def __init__(
        self,
        *,
        template_id: int | str,
        name: str = _DEFAULT_NAME,
        constants: Mapping[str, Any] | None = None,
        template_source: str = "business",
        sops_conn_id: str = "sops_default",
        bk_biz_id: int | str | None = None,
        scope: str | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__()
        self.context: Any = context or {}
        self.template_id = template_id
        self.name = name
        self.constants = constants
        self.template_source = template_source
        self.sops_conn_id = sops_conn_id
        self.bk_biz_id = bk_biz_id
        self.scope = scope
        self._definition = {field: getattr(self, field) for field in self.template_fields}

    def __call__(self, *args: Any) -> None:
        """Send the notification; errors are only logged.

        :param args: Airflow's context.
        """
        if len(args) != 1:
            self.log.error("SopsTaskNotifier supports task and DAG callbacks, not missed SLAs.")
            return
        context = _complete(args[0])
        # Render a copy: rendering overwrites the templates, and one notifier may serve many tasks of a process.
        notifier = copy.copy(self)
        try:
            notifier._render_fields(context)
            notifier.notify(context)
        except Exception:
            self.log.exception(
                "Notification about %s failed: SOPS template %s could not be run.",
                described(context),
                notifier.template_id,
            )

    def __await__(self) -> Generator[Any, None, None]:
        """Notify about a missed deadline, in the triggerer."""
        return self._notify_in_triggerer().__await__()

    def _render_fields(self, context: Any) -> None:
        # With a missed deadline comes no DAG that has an environment for templates.
        self.render_template_fields(context, jinja_env=self.get_template_env() if "deadline" in context else None)

    async def _notify_in_triggerer(self) -> None:
        from asgiref.sync import sync_to_async

        context = _complete(self.context)
        self._render_fields(context)
        try:
            await sync_to_async(self.notify)(context)
        except Exception:
            # Airflow records that the callback failed.
            self.log.error("Notification about %s failed: SOPS template %s.", described(context), self.template_id)
            raise

    def notify(self, context: Context) -> None:
        """Find or create the task, and start it.

        :raises SopsError: SOPS refuses the call or cannot be reached.
        """
        from airflow_provider_sops.hooks.sops import SopsHook

        if self.constants is not None and not isinstance(self.constants, Mapping):
            raise SopsInvalidParameterError(
                f"constants must be a dict of ${{key}} to value, not {type(self.constants).__name__}"
            )
        known: Any = context
        key = notification_key(known, self._definition)
        name = key.add_to(self.name if len(self.name) <= MAX_NAME_LENGTH else f"{self.name[: MAX_NAME_LENGTH - 1]}…")
        with SopsHook(**site_of(self).arguments) as hook:
            # Nobody can keep a notification back by a task with its key.
            origin = TaskOrigin(self.template_id, self.template_source, in_doubt=Ownership.OTHERS)
            once = ExactlyOnce(hook, key, self.log, origin=origin)
            found = elect(once.find().current)
            if found is None:
                self._check_constants(hook)
                sops_task_id = once.create(lambda: self._create_task(hook, name, known))
            else:
                sops_task_id = found.id
                self.log.info("The notification about %s was already sent.", described(known))
            start_task(hook, sops_task_id, self.log)
        self.log.info("SOPS task %s notifies about %s.", sops_task_id, described(known))

    def _create_task(self, hook: SopsHook, name: str, context: Mapping[str, Any]) -> CreatedTask:
        about_run = is_about_run(context)
        return hook.create_task(
            self.template_id,
            name,
            constants=dict(self.constants or {}),
            template_source=self.template_source,
            description=notification_origin(described(context), None if about_run else context["ti"]),
        )

    def _check_constants(self, hook: SopsHook) -> None:
        """Mask secrets, and warn about unknown constants; an incomplete notification is better than none."""
        if not self.constants:
            return
        read = hook.get_common_template_info if self.template_source == "common" else hook.get_template_info
        try:
            template = read(self.template_id)
        except SopsError as error:
            self.log.warning("The notification's constants could not be checked: %s", error)
            return
        for key in template.password_keys & set(self.constants):
            mask_secret(self.constants[key])
        unknown = [key for key in self.constants if key not in template.constants]
        if unknown:
            self.log.warning(
                "SOPS template %s has no constants %s; it has %s.",
                template.id,
                ", ".join(map(repr, unknown)),
                ", ".join(sorted(template.constants)) or "none",
            )


def notification_key(context: Mapping[str, Any], definition: Mapping[str, Any]) -> TaskKey:
    """Return the key of one notification.

    :param context: Airflow's context of a task's or a DAG run's callback.
    :param definition: the notifier's unrendered arguments.
    :raises SopsInvalidParameterError: the context has no DAG run.
    """
    dag, run_id = context.get("dag"), context.get("run_id")
    if dag is None or not run_id:
        raise SopsInvalidParameterError(
            "Airflow's context has no DAG run, so a repeated notification could not be recognised",
            advice="Use the notifier as a callback of a task or of a DAG.",
        )
    purpose = ["notification", json.dumps(definition, sort_keys=True, default=lambda value: type(value).__name__)]
    if is_about_run(context):
        cleared = getattr(context.get("dag_run"), "clear_number", None) or 0
        return TaskKey.of(
            dag_id=dag.dag_id,
            run_id=run_id,
            task_id="",
            map_index=-1,
            max_tries=cleared,
            purpose=[*purpose, str(context.get("reason"))],
        )
    ti = context["ti"]
    return TaskKey.of(
        dag_id=dag.dag_id,
        run_id=run_id,
        task_id=ti.task_id,
        map_index=_map_index(ti),
        max_tries=ti.try_number,
        purpose=[*purpose, _event(context, ti)],
    )


def _complete(context: Mapping[str, Any]) -> Any:
    """Return a context with DAG and run, which Airflow's context of a missed deadline gives only as data."""
    run, deadline = context.get("dag_run"), context.get("deadline")
    if not isinstance(deadline, Mapping) or not isinstance(run, Mapping):
        return context
    return {
        **context,
        "dag": SimpleNamespace(dag_id=run.get("dag_id"), render_template_as_native_obj=False),
        "run_id": run.get("dag_run_id"),
        "reason": f"deadline {deadline.get('id')} missed",
    }


def is_about_run(context: Mapping[str, Any]) -> bool:
    """Whether a context belongs to a DAG run's callback; it may contain any of the run's task instances, or none."""
    return "reason" in context or context.get("ti") is None


def described(context: Mapping[str, Any]) -> str:
    """Describe a context for the log and for SOPS."""
    dag, ti = context.get("dag"), context.get("ti")
    run = f"DAG {_name(dag, 'dag_id')}, run {word(str(context.get('run_id')))}"
    if is_about_run(context):
        return run
    mapped = f" [{_map_index(ti)}]" if _map_index(ti) >= 0 else ""
    return f"{run}, task {_name(ti, 'task_id')}{mapped}, try {_name(ti, 'try_number')}"


def _name(thing: Any, attribute: str) -> str:
    return word(str(getattr(thing, attribute, None)))


def _map_index(ti: Any) -> int:
    index = getattr(ti, "map_index", None)
    return -1 if index is None else index


def _event(context: Mapping[str, Any], ti: Any) -> str:
    """Return the event, from what every context of the same callback contains."""
    state = getattr(ti, "state", None)
    word = str(getattr(state, "value", state))
    if word in _ENDED_WELL:
        return word
    marks = context.get(FAILURE_MARKS_KEY)
    if marks and word not in _ENDED_BADLY:
        return f"nodes failed: {' '.join(marks)}"
    return "failure"

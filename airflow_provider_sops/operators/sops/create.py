"""Creating a SOPS task from a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.links.sops import SopsClaimLink
from airflow_provider_sops.operators.sops.base import SopsBaseOperator, announce_task, key_of, origin_of
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.version_compat import mask_secret

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_sops.sops.models import CreatedTask, Template
    from airflow_provider_sops.sops.task_key import TaskKey

DEFAULT_NAME = "{{ dag.dag_id }}.{{ task.task_id }}"
_TEMPLATE_SOURCES = ("business", "project", "common")
_FLOW_TYPES = ("common", "common_func")


class SopsTemplateOperator(SopsBaseOperator):
    """Common ground of the operators that create tasks; use one of its subclasses.

    :param template_id: id of the SOPS template. (templated)
    :param name: the task's name in SOPS, 1 to 80 characters. A key by which the task is found again is added to it,
        for example `` #k3vq0z2m5w8ra-2``. Default: DAG and task id, shortened if need be. (templated)
    :param constants: values for the template's constants, ``{"${key}": value}``. JSON types are kept. (templated)
    :param exclude_task_nodes_id: ids of *template* nodes to leave out; they must be optional. (templated)
    :param execute_task_nodes_id: ids of *template* nodes to run alone; every other one must be optional. It wins
        over ``exclude_task_nodes_id``. (templated)
    :param template_schemes_id: execution schemes to apply, not together with the two above: the id of one as
        get_template_schemes gives it (``"24-nightly"``) or its number, or a list of these. Servers before mid-2026
        (3.32.12, 3.34.17) ignore numbers, and schemes of public templates, silently and run all nodes. (templated)
    :param template_source: ``business`` (default) or ``common`` for public templates. (templated)
    :param flow_type: ``common`` (default), or ``common_func`` for a task that somebody has to claim first. (templated)
    :param check_constants: ask SOPS for the template and refuse constants that it does not have, which SOPS itself
        would ignore silently. Default ``True``; costs one request.
    """

    template_fields: Sequence[str] = (
        *SopsBaseOperator.template_fields,
        "template_id",
        "name",
        "constants",
        "exclude_task_nodes_id",
        "execute_task_nodes_id",
        "template_schemes_id",
        "template_source",
        "flow_type",
    )
    template_fields_renderers = {"constants": "json"}  # noqa: RUF012 - Airflow's own form

    def __init__(
        self,
        *,
        template_id: int | str | XComArg,
        name: str = DEFAULT_NAME,
        constants: Mapping[str, Any] | XComArg | None = None,
        exclude_task_nodes_id: Sequence[str] | XComArg | None = None,
        execute_task_nodes_id: Sequence[str] | XComArg | None = None,
        template_schemes_id: Sequence[int | str] | int | str | XComArg | None = None,
        template_source: str = "business",
        flow_type: str = "common",
        check_constants: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Outputs of other tasks become values before `execute`.
        self.template_id: Any = template_id
        self.name = name
        self.constants: Any = constants
        self.exclude_task_nodes_id: Any = exclude_task_nodes_id
        self.execute_task_nodes_id: Any = execute_task_nodes_id
        self.template_schemes_id: Any = template_schemes_id
        self.template_source = template_source
        self.flow_type = flow_type
        self.check_constants = check_constants
        self.has_default_name = name == DEFAULT_NAME
        if flow_type == "common_func":
            # Only here: a link that leads nowhere is shown all the same.
            self.operator_extra_links = (*self.operator_extra_links, SopsClaimLink())

    def keyed_name(self, key: TaskKey) -> str:
        """Return the task's whole name in SOPS.

        :raises SopsInvalidParameterError: for a name that is empty or too long.
        """
        from airflow_provider_sops.sops.task_key import MAX_NAME_LENGTH

        name = self.name
        if self.has_default_name and len(name) > MAX_NAME_LENGTH:
            name = f"{name[: MAX_NAME_LENGTH - 1]}…"
        return key.add_to(name)

    def check_parameters(self) -> None:
        """Refuse what is wrong whatever the template, before any request.

        :raises SopsInvalidParameterError: says which parameter and what it may be.
        """
        if self.constants is not None and not isinstance(self.constants, Mapping):
            raise SopsInvalidParameterError(
                f"constants must be a dict of ${{key}} to value, not {type(self.constants).__name__}"
            )
        for parameter in ("exclude_task_nodes_id", "execute_task_nodes_id"):
            value = getattr(self, parameter)
            if value is not None and not isinstance(value, (list, tuple)):
                raise SopsInvalidParameterError(
                    f"{parameter} must be a list of node ids, not {type(value).__name__}",
                    advice="A template that gives a list needs render_template_as_native_obj=True on the DAG.",
                )
        schemes = self.template_schemes_id
        if schemes and not all(map(_may_be_scheme, schemes if isinstance(schemes, (list, tuple)) else [schemes])):
            raise SopsInvalidParameterError(
                f"template_schemes_id is {schemes!r}; it must be the id of an execution scheme, its number, or a list "
                "of these"
            )
        for parameter, allowed in (("template_source", _TEMPLATE_SOURCES), ("flow_type", _FLOW_TYPES)):
            if getattr(self, parameter) not in allowed:
                raise SopsInvalidParameterError(
                    f"{parameter} is {getattr(self, parameter)!r}; it must be one of {', '.join(allowed)}"
                )
        if self.template_schemes_id and (self.exclude_task_nodes_id or self.execute_task_nodes_id):
            raise SopsInvalidParameterError(
                "template_schemes_id cannot be combined with exclude_task_nodes_id or execute_task_nodes_id"
            )

    def check_against_template(self) -> None:
        """Ask SOPS for the template, if there is something to check, and check it.

        :raises SopsInvalidParameterError: for unknown constants and for nodes that are unknown or not optional.
        """
        from airflow_provider_sops.operators.sops.template_check import (
            check_constants,
            check_excluded_nodes,
            check_executed_nodes,
        )

        checks_constants = bool(self.check_constants and self.constants)
        if not (checks_constants or self.exclude_task_nodes_id or self.execute_task_nodes_id):
            return
        template = self._read_template()
        for key in template.password_keys & set(self.constants or ()):
            mask_secret((self.constants or {})[key])
        if checks_constants:
            check_constants(template, self.constants or {})
        if self.execute_task_nodes_id:
            check_executed_nodes(template, self.execute_task_nodes_id)
        elif self.exclude_task_nodes_id:
            check_excluded_nodes(template, self.exclude_task_nodes_id)

    def create_task(self, name: str) -> CreatedTask:
        """Send one ``create_task``.

        :param name: the whole name, with its key.
        """
        schemes, excluded = self.template_schemes_id, list(self.exclude_task_nodes_id or ())
        names = schemes if isinstance(schemes, (list, tuple)) else [schemes]
        if schemes and self.template_source != "common" and all(isinstance(n, str) and not n.isdigit() for n in names):
            schemes, excluded = None, self._excluded_by_schemes(names)
        return self.hook.create_task(
            self.template_id,
            name,
            constants=dict(self.constants or {}),
            exclude_task_nodes_id=excluded or None,
            execute_task_nodes_id=list(self.execute_task_nodes_id or ()) or None,
            template_schemes_id=schemes or None,
            template_source=self.template_source,
            flow_type=self.flow_type,
            description=self._origin(),
        )

    def _origin(self) -> str | None:
        """Return what the task's description says of its origin."""
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.task_instance.origin import airflow_origin

        return airflow_origin()

    def _excluded_by_schemes(self, wanted: Sequence[str]) -> list[str]:
        from airflow_provider_sops.operators.sops.template_check import excluded_by_schemes

        return excluded_by_schemes(self._read_template(), self.hook.get_template_schemes(self.template_id), wanted)

    def _read_template(self) -> Template:
        if self.template_source == "common":
            return self.hook.get_common_template_info(self.template_id)
        return self.hook.get_template_info(self.template_id)


def _may_be_scheme(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value)
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class SopsCreateTaskOperator(SopsTemplateOperator):
    """Create a SOPS task and return its id; start it too with ``start=True``. Does not wait for it.

    A retry finds the task that an earlier try has created and returns its id; it never creates a second one. A task
    that was cleared creates a new one and leaves the earlier one as it is, running or not: this operator never
    revokes. To run a flow and answer for its end, use ``SopsRunTaskOperator``. An outage of SOPS is waited out on the
    worker, for up to ``max_outage_seconds``.

    Calls get_task_list, get_template_info (for the checks), create_task, get_task_detail and, if asked to, start_task.

    :param start: start the task as well. Default ``False``.
    """

    def __init__(self, *, start: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start

    def execute(self, context: Context) -> int:
        """Create the task, or find it, and return its id."""
        from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce, start_task
        from airflow_provider_sops.operators.sops.task_memory import TaskMemory
        from airflow_provider_sops.sops.task_key import elect

        with airflow_errors(self.log):
            self.check_parameters()
            self.bear_outages()
            key = key_of(context)
            name = self.keyed_name(key)
            memory = TaskMemory(context, key, self.log)
            origin = origin_of(context, self.template_id, self.template_source)
            once = ExactlyOnce(self.hook, key, self.log, origin=origin, memory=memory)
            claim_urls: dict[int, str] = {}

            def create() -> CreatedTask:
                created = self.create_task(name)
                claim_urls[created.task_id] = created.claim_url
                return created

            found = elect(once.find().current)
            if found is None:
                self.check_against_template()
                sops_task_id = once.create(create)
            else:
                sops_task_id = found.id
                self.log.info("An earlier try already created SOPS task %s.", sops_task_id)
            memory.keep(sops_task_id)
            announce_task(self.hook, context, sops_task_id, self.log, claim_url=claim_urls.get(sops_task_id, ""))
            if self.start:
                start_task(self.hook, sops_task_id, self.log)
            return sops_task_id

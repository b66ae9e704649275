"""Calls that create tasks, and that claim those created for somebody else to start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.calls import Call, as_it_is, call, needed_list
from airflow_provider_sops.sops.calls.parameters import comma_separated, required_text, time_text
from airflow_provider_sops.sops.models import CreatedTask

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_sops.sops.answer import Answer


def create_task(
    template_id: int | str,
    name: str,
    *,
    constants: Mapping[str, Any] | None = None,
    exclude_task_nodes_id: Sequence[str] | None = None,
    execute_task_nodes_id: Sequence[str] | None = None,
    template_schemes_id: int | str | Sequence[int | str] | None = None,
    template_source: str | None = None,
    flow_type: str | None = None,
    pipeline_tree: Mapping[str, Any] | None = None,
    simplify_vars: Sequence[str] | None = None,
    description: str | None = None,
    callback_url: str | None = None,
    callback_version: str | None = None,
) -> Call[CreatedTask]:
    """Create a task from a template without starting it. Never retried: a repeat would create another task.

    :param template_id: the template.
    :param name: at most 100 characters; the only text by which a task can be found later.
    :param constants: values by ``${key}``, JSON types kept. SOPS silently ignores unknown keys.
    :param exclude_task_nodes_id: ids of the *template's* optional nodes to leave out.
    :param execute_task_nodes_id: leave out all others instead; overrides ``exclude_task_nodes_id``.
    :param template_schemes_id: execution schemes to use instead; cannot be combined with the two above.
    :param template_source: ``business`` (default) or ``common``. SOPS treats any other word as ``common``.
    :param flow_type: ``common`` (default), or ``common_func`` for a task that someone must claim first.
    :param pipeline_tree: run this tree instead of the template's.
    :param simplify_vars: keys of variables whose values use the simplified form.
    :param description: stored, but no call returns it.
    :param callback_url: SOPS posts the task's end, and each node failure, to this URL.
    :param callback_version: ``v2`` posts JSON with the outputs.
    :raises SopsInvalidParameterError: nothing was created.
    :raises SopsNotFoundError: there is no such template in this business.
    :raises SopsError: any other failure; with ``outcome_unknown`` the task may exist.
    """
    return _creating(
        "create_task",
        template_id=template_id,
        name=required_text("create_task", "name", name),
        constants=constants,
        exclude_task_nodes_id=exclude_task_nodes_id,
        execute_task_nodes_id=execute_task_nodes_id,
        template_schemes_id=template_schemes_id,
        template_source=template_source,
        flow_type=flow_type,
        pipeline_tree=pipeline_tree,
        simplify_vars=simplify_vars,
        description=description,
        callback_url=callback_url,
        callback_version=callback_version,
    )


def create_and_start_task(
    template_id: int | str,
    name: str,
    *,
    constants: Mapping[str, Any] | None = None,
    exclude_task_nodes_id: Sequence[str] | None = None,
    template_schemes_id: int | str | Sequence[int | str] | None = None,
    template_source: str | None = None,
    flow_type: str | None = None,
    description: str | None = None,
) -> Call[CreatedTask]:
    """Create a task and start it in one call; parameters as in ``create_task``.

    If the answer is lost, nobody knows whether a task is running, so the operators use create_task and start_task.
    """
    return _creating(
        "create_and_start_task",
        template_id=template_id,
        name=required_text("create_and_start_task", "name", name),
        constants=constants,
        exclude_task_nodes_id=exclude_task_nodes_id,
        template_schemes_id=template_schemes_id,
        template_source=template_source,
        flow_type=flow_type,
        description=description,
    )


def fast_create_task(
    name: str,
    pipeline_tree: Mapping[str, Any],
    *,
    category: str | None = None,
    flow_type: str | None = None,
    description: str | None = None,
    has_common_subprocess: bool | None = None,
) -> Call[CreatedTask]:
    """Create a task from a tree, without a template and without starting it.

    :param has_common_subprocess: whether the tree's subprocesses come from common templates.
    """
    return _creating(
        "fast_create_task",
        name=required_text("fast_create_task", "name", name),
        pipeline_tree=pipeline_tree,
        category=category,
        flow_type=flow_type,
        description=description,
        has_common_subprocess=has_common_subprocess,
    )


def claim_functionalization_task(
    task_id: int | str, *, constants: Mapping[str, Any] | None = None, name: str | None = None
) -> Call[Any]:
    """Claim a task that was created with ``flow_type="common_func"``, so that it can be started.

    :param constants: values to change.
    :param name: a new name.
    """
    return call(
        "claim_functionalization_task",
        as_it_is,
        task_id=task_id,
        constants=constants,
        name=name,
    )


def get_functionalization_task_list(
    *,
    id_in: Iterable[int | str] | None = None,
    task_id_in: Iterable[int | str] | None = None,
    status: str | None = None,
    project_id: int | str | None = None,
    create_time_gte: datetime.datetime | str | None = None,
    create_time_lte: datetime.datetime | str | None = None,
    expected_timezone: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Call[list[Any]]:
    """List the tasks of all businesses that were created to be claimed.

    :param id_in: ids of the claims, not of the tasks.
    :param status: of the claim.
    :param project_id: SOPS's own id of the project.
    """
    return call(
        "get_functionalization_task_list",
        needed_list,
        id_in=comma_separated(id_in),
        task_id_in=comma_separated(task_id_in),
        status=status,
        project_id=project_id,
        create_time_gte=time_text(create_time_gte),
        create_time_lte=time_text(create_time_lte),
        expected_timezone=expected_timezone,
        limit=limit,
        offset=offset,
    )


def _creating(api: str, **parameters: Any) -> Call[CreatedTask]:
    def read(answer: Answer) -> CreatedTask:
        task = CreatedTask.read(answer.data)
        if task.task_id > 0:
            return task
        error = answer.unusable("SOPS reports a new task but returned no task id")
        error.advice = "Look for the task by its name."
        raise error

    return Call(api, parameters, read)

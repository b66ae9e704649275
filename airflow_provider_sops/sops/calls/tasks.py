"""Calls for tasks: start, operate, read, find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.calls import (
    Call,
    UnusableDataError,
    as_it_is,
    call,
    list_of,
    needed_list,
    needed_object,
    nothing,
)
from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.service.text import web_address
from airflow_provider_sops.sops.calls.parameters import (
    asked,
    batches,
    comma_separated,
    task_action,
    time_text,
)
from airflow_provider_sops.sops.errors import SopsGatewayError
from airflow_provider_sops.sops.models import (
    TaskDetail,
    TaskListItem,
    TaskStatus,
    has_state,
    read_tasks_status,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterable

    from airflow_provider_sops.service.calls import Steps
    from airflow_provider_sops.sops.answer import Answer


def start_task(task_id: int | str) -> Call[str]:
    """Start a task and return its page in SOPS, empty if SOPS does not name it.

    SOPS only queues the start; until the task runs it is CREATED, and a second start is accepted and does nothing.

    :raises SopsInvalidOperationError: it was started before, or too many tasks are being started (same code: read the
        state to distinguish).
    """
    return Call("start_task", {"task_id": task_id}, _task_url)


def operate_task(task_id: int | str, action: str) -> Call[None]:
    """Start, pause, resume or revoke a task.

    A revoked task lets running nodes finish and starts no others.

    :param action: ``start``, ``pause``, ``resume`` or ``revoke``.
    :raises SopsInvalidOperationError: the task's state does not allow it.
    """
    return call("operate_task", nothing, task_id=task_id, action=task_action(action))


def get_task_status(
    task_id: int | str,
    *,
    subprocess_id: str | None = None,
    with_ex_data: bool = False,
    with_failed_node_info: bool = False,
    with_auto_retry_status: bool = False,
    fresh: bool = False,
) -> Call[TaskStatus]:
    """Read the state of a task and of every node it has reached.

    :param subprocess_id: only what is inside this subprocess; an unknown one reads as CREATED.
    :param with_ex_data: include the errors of failed nodes, which exist only while the task is FAILED.
    :param with_failed_node_info: include the retries of failed nodes. SOPS rejects it for a task that is CREATED or
        EXPIRED.
    :param with_auto_retry_status: include whether SOPS will retry automatically. Rejected in the same states.
    :param fresh: bypass the 10-second cache, which each server process has for itself.
    """
    return call(
        "get_task_status",
        _read_status,
        task_id=task_id,
        subprocess_id=subprocess_id,
        with_ex_data=asked(with_ex_data),
        with_failed_node_info=asked(with_failed_node_info),
        with_auto_retry_status=asked(with_auto_retry_status),
        fresh=fresh,
    )


def get_tasks_status(
    task_ids: Iterable[int | str], *, include_children: bool = False, fresh: bool = False
) -> Steps[dict[int, TaskStatus]]:
    """Read the states of many tasks, 50 per request.

    :param include_children: include the states of nodes.
    :param fresh: bypass the 10-second cache, which keeps even errors.
    :return: by id; tasks unknown to SOPS or to this business are absent.
    """
    statuses: dict[int, TaskStatus] = {}
    for batch in batches(task_ids):
        statuses |= yield call(
            "get_tasks_status",
            read_tasks_status,
            task_id_list=batch,
            include_children_status=asked(include_children),
            fresh=fresh,
        )
    return statuses


def get_task_detail(task_id: int | str, *, fresh: bool = False) -> Call[TaskDetail]:
    """Read a task's outputs, constants, tree and page.

    :param fresh: bypass the 60-second cache; needed for outputs right after the end.
    """
    return Call("get_task_detail", {"task_id": task_id}, _read_detail, fresh)


def get_task_list(
    *,
    keyword: str | None = None,
    template_id: int | str | None = None,
    template_ids: Iterable[int | str] | None = None,
    is_started: bool | None = None,
    is_finished: bool | None = None,
    is_child_taskflow: bool | None = None,
    executor: str | None = None,
    create_method: str | None = None,
    create_time_start: datetime.datetime | str | None = None,
    create_time_end: datetime.datetime | str | None = None,
    expected_timezone: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Call[list[TaskListItem]]:
    """List tasks, newest first. Not cached: a task is listed as soon as it is created.

    :param keyword: a part of the name, case-sensitive.
    :param create_method: ``api``, ``app``, ``periodic``, ``clocked``, ...
    :param create_time_start: the earliest creation; zone-aware, or a string in SOPS's format.
    :param expected_timezone: the zone of the times in the answer, ``Asia/Shanghai``; default: UTC.
    :param limit: default 100, at most 200.
    """
    return call(
        "get_task_list",
        list_of(_read_item),
        keyword=keyword,
        template_id=template_id,
        template_ids=comma_separated(template_ids),
        is_started=is_started,
        is_finished=is_finished,
        is_child_taskflow=is_child_taskflow,
        executor=executor,
        create_method=create_method,
        create_time_start=time_text(create_time_start),
        create_time_end=time_text(create_time_end),
        expected_timezone=expected_timezone,
        limit=limit,
        offset=offset,
    )


def get_task_effective_time(task_id: int | str) -> Call[Any]:
    """Read how long a task worked, not counting waits for people and after failures."""
    return call("get_task_effective_time", as_it_is, task_id=task_id)


def get_task_operate_record(
    task_id: int | str, project_id: int | str | None = None, *, node_id: str | None = None
) -> Steps[list[Any]]:
    """Read who did what to a task. Servers before 3.32 lack this call.

    From 3.34 on, SOPS compares the second id with its own ids of projects, whatever the scope; 3.32 resolves it by the
    scope. So this sends a project's own id and its scope, which all of them understand.

    :param project_id: SOPS's own id of the project; default: the one that get_task_detail names.
    :param node_id: only records of this node.
    """
    if project_id is None:
        project_id = yield call("get_task_detail", _project_id, task_id=task_id)
    records: list[Any] = yield call(
        "get_task_operate_record",
        needed_list,
        task_id=task_id,
        project_id=project_id,
        node_id=node_id,
        scope="project",
    )
    return records


def _read_status(data: Any) -> TaskStatus:
    if has_state(needed_object(data)):
        return TaskStatus.read(data)
    raise UnusableDataError("it names no state")


def _read_detail(answer: Answer) -> TaskDetail:
    return TaskDetail.read(needed_object(answer.data), answer.replaced)


def _read_item(data: Any) -> TaskListItem:
    """Read an item; a task whose id is lost must not pass for one that does not exist."""
    item = TaskListItem.read(data)
    if item.id > 0:
        return item
    raise UnusableDataError("a task in the list has no id")


def _project_id(data: Any) -> int:
    project_id = read_id(read_mapping(data).get("project_id"))
    if project_id is None:
        raise SopsGatewayError(
            "SOPS returned no project id",
            api="get_task_detail",
            http_status=200,
            advice="Pass project_id, SOPS's own id of the project.",
        )
    return project_id


def _task_url(answer: Answer) -> str:
    return web_address(read_text(read_mapping(answer.data).get("task_url") or answer.raw.get("task_url")))

"""Calls for instances: the runs of flows and of their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sops.enos.calls.parameters import comma_separated, required_text
from airflow_provider_sops.enos.errors import EnosNotFoundError
from airflow_provider_sops.enos.models import FlowInstance, FlowInstancePage, TaskInstance
from airflow_provider_sops.enos.models.decoding import read_object
from airflow_provider_sops.enos.paging import PAGE_SIZE, Page, all_pages
from airflow_provider_sops.enos.times import milliseconds
from airflow_provider_sops.service.calls import call, nothing
from airflow_provider_sops.service.reading import read_mapping, read_text

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Sequence

    from airflow_provider_sops.service.calls import Call, Steps

T = TypeVar("T")


def get_task_instance(task_instance_id: str) -> Call[TaskInstance]:
    """Read a task instance. v2.0 of the API lacks this call.

    :param task_instance_id: ``118979-2021020211``; not the id of a flow's instance, which looks alike.
    :raises EnosNotFoundError: there is none in the user's organisation.
    """
    api = "get_task_instance"
    wanted = required_text(api, "task_instance_id", task_instance_id)
    return call(api, _found(api, {"taskInstId": wanted}, TaskInstance.read), taskInstId=wanted)


def get_task_instance_log(task_instance_id: str, *, max_length: int | None = None) -> Call[str]:
    """Read the log of a task instance.

    :param max_length: maximum length of the log; EnOS's own limit is 2**20. The unit, and whether the beginning or the
        end is kept, are not documented.
    :raises EnosNoLogError: there is no log or no such instance.
    """
    api = "get_task_instance_log"
    wanted = required_text(api, "task_instance_id", task_instance_id)
    return call(api, _read_log, taskInstId=wanted, maxLength=max_length)


def get_flow_instance(flow_instance_id: str) -> Call[FlowInstance]:
    """Read a flow instance and the states of its tasks.

    :param flow_instance_id: ``8435-2021020211``.
    :raises EnosNotFoundError: there is none in the user's organisation.
    """
    api = "get_flow_instance"
    wanted = required_text(api, "flow_instance_id", flow_instance_id)
    return call(api, _found(api, {"flowInstId": wanted}, FlowInstance.read), flowInstId=wanted)


def find_flow_instances(
    kind: int,
    *,
    from_trigger_time: datetime.datetime | int,
    to_trigger_time: datetime.datetime | int,
    expression: str = "",
    owner: str = "",
    status_numbers: Sequence[int] = (),
    page_size: int = PAGE_SIZE,
) -> Steps[list[FlowInstance]]:
    """List flow instances, all pages. Their graphs have no states.

    :param kind: 0 manual, 1 periodic, 2 temporary.
    :param from_trigger_time: the earliest trigger time; a zone-aware time, or milliseconds since the epoch.
    :param to_trigger_time: the end of the range, exclusive.
    :param expression: part of an instance's id or of a flow's name.
    :param owner: only this owner's instances; empty for everyone's.
    :param status_numbers: only these statuses; empty for all.
    :param page_size: EnOS recommends no more than 50.
    """

    def page_of(page: Page) -> Call[Sequence[FlowInstance]]:
        return search_flow_instances(
            kind,
            from_trigger_time=from_trigger_time,
            to_trigger_time=to_trigger_time,
            expression=expression,
            owner=owner,
            status_numbers=status_numbers,
            page=page,
        )

    return all_pages(page_of, size=page_size, identity=lambda instance: instance.instance_id)


def search_flow_instances(
    kind: int,
    *,
    from_trigger_time: datetime.datetime | int,
    to_trigger_time: datetime.datetime | int,
    expression: str = "",
    owner: str = "",
    status_numbers: Sequence[int] = (),
    page: Page,
) -> Call[Sequence[FlowInstance]]:
    """List one page of flow instances; same parameters as ``find_flow_instances``."""
    return call(
        "search_flow_instances",
        _instances_of_page,
        type=kind,
        expression=expression,
        owner=owner,
        fromTriggerTime=milliseconds(from_trigger_time),
        toTriggerTime=milliseconds(to_trigger_time),
        status=comma_separated(status_numbers),
        pagination=page,
    )


def cancel_flow_instance(flow_instance_id: str) -> Call[None]:
    """Stop a flow instance. Only its owner may, and EnOS cannot stop tasks it has already submitted."""
    api = "cancel_flow_instance"
    return call(api, nothing, flowInstId=required_text(api, "flow_instance_id", flow_instance_id))


def _found(api: str, ids: dict[str, str], read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Return a reader that raises if the answer contains no instance."""

    def read_found(data: Any) -> T:
        if not read_object(data):
            raise EnosNotFoundError("EnOS returned no instance", api=api, ids=ids, http_status=200)
        return read(data)

    return read_found


def _read_log(data: Any) -> str:
    return read_text(read_mapping(data).get("log"))


def _instances_of_page(data: Any) -> Sequence[FlowInstance]:
    return FlowInstancePage.read(data).instances

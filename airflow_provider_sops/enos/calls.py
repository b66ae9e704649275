"""The calls of EnOS's batch processing that this package uses, as data, one function each.

``EnosHook`` and ``AsyncEnosClient`` have each function as a method with the same parameters. Their ``call`` makes any
other call by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sops.enos.errors import EnosGatewayError, EnosInvalidParameterError, EnosNotFoundError
from airflow_provider_sops.enos.models import FlowInstance, FlowInstancePage, TaskInstance
from airflow_provider_sops.enos.models.status import has_status, is_word, read_object
from airflow_provider_sops.enos.paging import PAGE_SIZE, Page, all_pages
from airflow_provider_sops.enos.times import milliseconds
from airflow_provider_sops.service.calls import Call, UnusableDataError, call, needed_list, needed_object, nothing
from airflow_provider_sops.service.reading import read_mapping, read_text

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Sequence

    from airflow_provider_sops.service.answer import Answer
    from airflow_provider_sops.service.calls import Steps
    from airflow_provider_sops.service.storable import Path


def whole_number(api: str, name: str, value: Any) -> int:
    """Return an id that EnOS takes as a number.

    :raises EnosInvalidParameterError: it is not a positive whole number.
    """
    try:
        number = 0 if isinstance(value, (bool, float)) else int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise EnosInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a positive whole number.")
    return number


def required_text(api: str, name: str, value: Any) -> str:
    """Return a string that must not be empty.

    :raises EnosInvalidParameterError: it is empty or not a string.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise EnosInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a non-empty string.")


def key_values(api: str, parameters: Any) -> list[dict[str, Any]]:
    """Return parameters of a flow as EnOS takes them.

    :raises EnosInvalidParameterError: they are not a mapping with string keys.
    """
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        raise EnosInvalidParameterError(
            f"parameters must be a dict of key to value, not {type(parameters).__name__}", api=api
        )
    return [{"key": key, "value": value} for key, value in parameters.items()]


def comma_separated(values: Sequence[int]) -> str:
    """Return numbers as EnOS's filters take them, ``1,2,3``."""
    return ",".join(map(str, values))


T = TypeVar("T")


def get_task_instance(task_instance_id: str) -> Call[TaskInstance]:
    """Read a task instance. v2.0 of the API lacks this call.

    :param task_instance_id: ``118979-2021020211``; not the id of a flow's instance, which looks alike.
    :raises EnosNotFoundError: there is none in the user's organisation.
    """
    api = "get_task_instance"
    wanted = required_text(api, "task_instance_id", task_instance_id)
    return Call(api, {"taskInstId": wanted}, _found(api, {"taskInstId": wanted}, TaskInstance.read))


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
    return Call(api, {"flowInstId": wanted}, _found(api, {"flowInstId": wanted}, FlowInstance.read))


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


def _found(api: str, ids: dict[str, str], read: Callable[[Any, tuple[Path, ...]], T]) -> Callable[[Answer], T]:
    """Return a reader that raises if the answer contains no instance."""

    def read_found(answer: Answer) -> T:
        if answer.data in (None, "", [], {}):
            raise EnosNotFoundError("EnOS returned no instance", api=api, ids=ids, http_status=200)
        if not has_status(needed_object(read_object(answer.data))):
            raise UnusableDataError("it names no status")
        return read(answer.data, answer.replaced)

    return read_found


def _read_log(data: Any) -> str:
    return read_text(read_mapping(data).get("log"))


def _instances_of_page(data: Any) -> Sequence[FlowInstance]:
    """Read a page; what cannot be read must not pass for "there are none"."""
    listed = needed_object(data)
    items = listed.get("flowInsts")
    if items is None and listed.get("count") == 0:
        return ()
    for item in needed_list(items):
        needed_object(item)
    return FlowInstancePage.read(listed).instances


def trigger_flow(flow_id: int | str, trigger_time: datetime.datetime | int) -> Call[str]:
    """Run a flow and return the id of its instance. Only the flow's owner may do this.

    EnOS refuses to run the same flow twice in one minute. Never retried: if the answer was lost, look for the instance
    with ``find_flow_instances``.

    :param trigger_time: when to run: a zone-aware time, or milliseconds since the epoch; a past time means at once. The
        flow's time parameters are derived from it.
    :raises EnosTriggerRefusedError: there is no such flow, or it was triggered less than a minute ago.
    """
    return _triggering("trigger_flow", flow_id, trigger_time)


def trigger_flow_from_task(flow_id: int | str, task_id: int | str, trigger_time: datetime.datetime | int) -> Call[str]:
    """Like ``trigger_flow``, but start at one of the flow's tasks. v2.0 of the API lacks this call."""
    api = "trigger_flow_from_task"
    return _triggering(api, flow_id, trigger_time, taskId=whole_number(api, "task_id", task_id))


def update_and_trigger_flow(
    flow_id: int | str, trigger_time: datetime.datetime | int, parameters: Mapping[str, Any]
) -> Call[str]:
    """Like ``trigger_flow``, but with other parameters for this instance alone.

    :param parameters: values by key.
    """
    api = "update_and_trigger_flow"
    return _triggering(api, flow_id, trigger_time, parameters=key_values(api, parameters))


def _triggering(api: str, flow_id: int | str, trigger_time: datetime.datetime | int, **parameters: Any) -> Call[str]:
    """Return a call that creates an instance.

    :raises EnosGatewayError: the answer does not name the instance.
    """

    def read_instance_id(data: Any) -> str:
        instance_id = read_mapping(data).get("flowInstanceId")
        if not is_word(instance_id):
            raise EnosGatewayError("EnOS reports success but returned no instance id", api=api, http_status=200)
        return read_text(instance_id)

    return call(
        api,
        read_instance_id,
        flowId=whole_number(api, "flow_id", flow_id),
        triggerTime=milliseconds(trigger_time),
        **parameters,
    )

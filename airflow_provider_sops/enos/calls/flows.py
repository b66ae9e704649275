"""Calls that run flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.calls.parameters import key_values, whole_number
from airflow_provider_sops.enos.errors import EnosGatewayError
from airflow_provider_sops.enos.times import milliseconds
from airflow_provider_sops.service.calls import Call, call
from airflow_provider_sops.service.reading import read_mapping, read_text

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping


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
        instance_id = read_text(read_mapping(data).get("flowInstanceId"))
        if not instance_id:
            raise EnosGatewayError("EnOS reports success but returned no instance id", api=api, http_status=200)
        return instance_id

    return call(
        api,
        read_instance_id,
        flowId=whole_number(api, "flow_id", flow_id),
        triggerTime=milliseconds(trigger_time),
        **parameters,
    )

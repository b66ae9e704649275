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
    """Run a flow and return the id of its instance. The flow's owner alone may.

    EnOS refuses to run the same flow twice in one minute. It is never sent twice here: look an instance up
    (``find_flow_instances``) where the answer was lost.

    :param trigger_time: when it is to run: a time with its zone, or milliseconds. In the past: at once. The flow's
        time parameters follow from it.
    :raises EnosTriggerRefusedError: there is no such flow, or it was triggered less than a minute ago.
    """
    return _triggering("trigger_flow", flow_id, trigger_time)


def trigger_flow_from_task(flow_id: int | str, task_id: int | str, trigger_time: datetime.datetime | int) -> Call[str]:
    """Run a flow from one of its tasks on; else as ``trigger_flow``. v2.0 of the API has no such call."""
    api = "trigger_flow_from_task"
    return _triggering(api, flow_id, trigger_time, taskId=whole_number(api, "task_id", task_id))


def update_and_trigger_flow(
    flow_id: int | str, trigger_time: datetime.datetime | int, parameters: Mapping[str, Any]
) -> Call[str]:
    """Run a flow with other parameters, for this instance alone; else as ``trigger_flow``.

    :param parameters: values by key.
    """
    api = "update_and_trigger_flow"
    return _triggering(api, flow_id, trigger_time, parameters=key_values(api, parameters))


def _triggering(api: str, flow_id: int | str, trigger_time: datetime.datetime | int, **parameters: Any) -> Call[str]:
    """Return a call that makes an instance.

    :raises EnosGatewayError: the answer says that there is one, but not which.
    """

    def read_instance_id(data: Any) -> str:
        instance_id = read_text(read_mapping(data).get("flowInstanceId"))
        if not instance_id:
            raise EnosGatewayError("EnOS does not say which instance it has made", api=api, http_status=200)
        return instance_id

    return call(
        api,
        read_instance_id,
        flowId=whole_number(api, "flow_id", flow_id),
        triggerTime=milliseconds(trigger_time),
        **parameters,
    )

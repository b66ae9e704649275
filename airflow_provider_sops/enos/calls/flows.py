"""Calls about flows: running them, reading them, changing them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.calls.base import EnosCalls
from airflow_provider_sops.enos.calls.parameters import key_values, read_triggered, required_text, whole_number
from airflow_provider_sops.enos.models.decoding import read_object
from airflow_provider_sops.enos.paging import PAGE_SIZE, pagination
from airflow_provider_sops.enos.times import milliseconds
from airflow_provider_sops.service.reading import read_id, read_list

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence


class FlowCalls(EnosCalls):
    """Calls about flows."""

    def trigger_flow(self, flow_id: int | str, trigger_time: datetime.datetime | int) -> str:
        """Run a flow and return the id of its instance. The flow's owner alone may.

        EnOS refuses to run the same flow twice in one minute. It is never sent twice here: look an instance up
        (``find_flow_instances``) where the answer was lost.

        :param trigger_time: when it is to run: a time with its zone, or milliseconds. In the past: at once. The flow's
            time parameters follow from it.
        :raises EnosTriggerRefusedError: there is no such flow, or it was triggered less than a minute ago.
        """
        answer = self.call(
            "trigger_flow",
            flowId=whole_number("trigger_flow", "flow_id", flow_id),
            triggerTime=milliseconds(trigger_time),
        )
        return read_triggered("trigger_flow", answer)

    def trigger_flow_from_task(
        self, flow_id: int | str, task_id: int | str, trigger_time: datetime.datetime | int
    ) -> str:
        """Run a flow from one of its tasks on; else as ``trigger_flow``. v2.0 of the API has no such call."""
        api = "trigger_flow_from_task"
        answer = self.call(
            api,
            flowId=whole_number(api, "flow_id", flow_id),
            taskId=whole_number(api, "task_id", task_id),
            triggerTime=milliseconds(trigger_time),
        )
        return read_triggered(api, answer)

    def update_and_trigger_flow(
        self, flow_id: int | str, trigger_time: datetime.datetime | int, parameters: Mapping[str, Any]
    ) -> str:
        """Run a flow with other parameters, for this instance alone; else as ``trigger_flow``.

        :param parameters: values by key.
        """
        api = "update_and_trigger_flow"
        answer = self.call(
            api,
            flowId=whole_number(api, "flow_id", flow_id),
            triggerTime=milliseconds(trigger_time),
            parameters=key_values(api, parameters),
        )
        return read_triggered(api, answer)

    def get_flow(self, flow_id: int | str) -> Mapping[str, Any]:
        """Read a flow."""
        return read_object(self.call("get_flow", flowId=whole_number("get_flow", "flow_id", flow_id)).data)

    def get_my_flow(self, expression: str | None = None) -> list[Any]:
        """List the flows of the user: ``flowId``, ``flowName``, ``cycle``, ``editable``.

        :param expression: part of a flow's name.
        """
        return read_list(self.call("get_my_flow", expression=expression).data)

    def search_flow(
        self,
        expression: str | None = None,
        *,
        page: int = 0,
        page_size: int = PAGE_SIZE,
        sorters: Sequence[tuple[str, str]] = (),
    ) -> list[Any]:
        """List flows, one page of them: ``flowId``, ``flowName``.

        :param expression: part of a flow's name.
        :param page: counted from 0, whichever the version of the API.
        """
        answer = self.call(
            "search_flow",
            expression=expression,
            pagination=pagination(self.api_version, page, page_size, sorters),
        )
        return read_list(answer.data)

    def load_flow_for_edit(self, flow_id: int | str) -> Mapping[str, Any]:
        """Read a flow as its editor does."""
        number = whole_number("load_flow_for_edit", "flow_id", flow_id)
        return read_object(self.call("load_flow_for_edit", flowId=number).data)

    def save_flow(self, flow: Mapping[str, Any]) -> int | None:
        """Create or change a flow and return its id.

        :param flow: as EnOS documents it: ``id``, ``type``, ``name``, ``freq``, ``cycle``, ``alertMode``, ``doAs``,
            ``owners``, ``visitors``, ``startTime``, ``active`` and what is optional.
        """
        return read_id(read_object(self.call("save_flow", **flow).data).get("flowId"))

    def import_flow(
        self,
        flow_name: str,
        flow_json: Mapping[str, Any] | str,
        *,
        directory_id: int | str,
        description: str = "",
        flow_id: int | str | None = None,
    ) -> int | None:
        """Create a flow, or change one, from what ``export_flow`` gave, and return its id.

        :param flow_json: the exported flow.
        :param flow_id: the flow to change; ``None`` for a new one.
        """
        api = "import_flow"
        answer = self.call(
            api,
            flowName=required_text(api, "flow_name", flow_name),
            desc=description,
            dirId=whole_number(api, "directory_id", directory_id),
            flowJson=flow_json if isinstance(flow_json, str) else json.dumps(dict(flow_json), ensure_ascii=False),
            flowId=None if flow_id is None else whole_number(api, "flow_id", flow_id),
        )
        return read_id(read_object(answer.data).get("flowId"))

    def export_flow(self, flow_id: int | str) -> Mapping[str, Any]:
        """Read a flow in the form that can be imported."""
        return read_object(self.call("export_flow", flowId=whole_number("export_flow", "flow_id", flow_id)).data)

    def delete_flow(self, flow_id: int | str) -> None:
        """Delete a flow.

        :raises EnosInvalidOperationError: other flows rely on it.
        """
        self.call("delete_flow", flowId=whole_number("delete_flow", "flow_id", flow_id))

    def enable_flow(self, flow_id: int | str) -> None:
        """Let a flow run by its schedule."""
        self.call("enable_flow", flowId=whole_number("enable_flow", "flow_id", flow_id))

    def disable_flow(self, flow_id: int | str) -> None:
        """Keep a flow from running by its schedule."""
        self.call("disable_flow", flowId=whole_number("disable_flow", "flow_id", flow_id))

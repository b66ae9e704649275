"""Calls about instances: the runs of flows and of their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.enos.calls.base import EnosCalls
from airflow_provider_sops.enos.calls.parameters import (
    comma_separated,
    read_flow_instance,
    read_log,
    read_task_instance,
    required_text,
)
from airflow_provider_sops.enos.models import FlowInstance, FlowInstancePage, TaskInstance
from airflow_provider_sops.enos.paging import PAGE_SIZE, all_pages, pagination
from airflow_provider_sops.enos.times import milliseconds

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence


class InstanceCalls(EnosCalls):
    """Calls about instances."""

    def get_task_instance(self, task_instance_id: str) -> TaskInstance:
        """Read a task instance. v2.0 of the API has no such call.

        :param task_instance_id: ``118979-2021020211``; not the id of a flow's instance, which looks alike.
        :raises EnosNotFoundError: there is none in the user's organisation.
        """
        wanted = required_text("get_task_instance", "task_instance_id", task_instance_id)
        return read_task_instance(self.call("get_task_instance", taskInstId=wanted), wanted)

    def get_task_instance_log(self, task_instance_id: str, *, max_length: int | None = None) -> str:
        """Read the log of a task instance.

        :param max_length: of the log; EnOS's own limit is 2**20. Of what unit, and whether it keeps the beginning or
            the end, is not documented.
        :raises EnosNoLogError: it has none, or there is no such instance.
        """
        wanted = required_text("get_task_instance_log", "task_instance_id", task_instance_id)
        return read_log(self.call("get_task_instance_log", taskInstId=wanted, maxLength=max_length))

    def get_flow_instance(self, flow_instance_id: str) -> FlowInstance:
        """Read a flow instance and the states of its tasks.

        :param flow_instance_id: ``8435-2021020211``.
        :raises EnosNotFoundError: there is none in the user's organisation.
        """
        wanted = required_text("get_flow_instance", "flow_instance_id", flow_instance_id)
        return read_flow_instance(self.call("get_flow_instance", flowInstId=wanted), wanted)

    def search_flow_instances(
        self,
        kind: int,
        *,
        from_trigger_time: datetime.datetime | int,
        to_trigger_time: datetime.datetime | int,
        expression: str = "",
        owner: str = "",
        status_numbers: Sequence[int] = (),
        page: int = 0,
        page_size: int = PAGE_SIZE,
        sorters: Sequence[tuple[str, str]] = (),
    ) -> FlowInstancePage:
        """List flow instances, one page of them. Their graphs have no states.

        :param kind: 0 manual, 1 periodic, 2 temporary.
        :param from_trigger_time: the first trigger time that is listed; a time with its zone, or milliseconds.
        :param to_trigger_time: the first one that is not.
        :param expression: part of an instance's id or of a flow's name.
        :param owner: only this owner's; empty for everybody's.
        :param status_numbers: only these statuses; empty for all.
        :param page: counted from 0, whichever the version of the API.
        :param page_size: EnOS recommends no more than 50.
        :param sorters: fields and ``ASC`` or ``DESC``. EnOS's documents disagree on the fields' names
            (``start_time`` or ``startTime``).
        """
        answer = self.call(
            "search_flow_instances",
            type=kind,
            expression=expression,
            owner=owner,
            fromTriggerTime=milliseconds(from_trigger_time),
            toTriggerTime=milliseconds(to_trigger_time),
            status=comma_separated(status_numbers),
            pagination=pagination(self.api_version, page, page_size, sorters),
        )
        return FlowInstancePage.read(answer.data)

    def find_flow_instances(
        self,
        kind: int,
        *,
        from_trigger_time: datetime.datetime | int,
        to_trigger_time: datetime.datetime | int,
        expression: str = "",
        owner: str = "",
        status_numbers: Sequence[int] = (),
        page_size: int = PAGE_SIZE,
    ) -> list[FlowInstance]:
        """List flow instances, all pages of them; the parameters are those of ``search_flow_instances``."""

        def read_page(page: int) -> Sequence[FlowInstance]:
            return self.search_flow_instances(
                kind,
                from_trigger_time=from_trigger_time,
                to_trigger_time=to_trigger_time,
                expression=expression,
                owner=owner,
                status_numbers=status_numbers,
                page=page,
                page_size=page_size,
            ).instances

        return all_pages(read_page, size=page_size, identity=lambda instance: instance.instance_id)

    def cancel_flow_instance(self, flow_instance_id: str) -> None:
        """Stop a flow instance. Its owner alone may, and EnOS cannot stop what it has submitted already."""
        wanted = required_text("cancel_flow_instance", "flow_instance_id", flow_instance_id)
        self.call("cancel_flow_instance", flowInstId=wanted)

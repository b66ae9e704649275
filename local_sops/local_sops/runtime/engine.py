"""The engine's runtime, with its three dispatch methods bound to the :class:`Dispatcher`."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from bamboo_engine.engine import Engine
from bamboo_engine.eri.models import ExecuteInterruptPoint, ScheduleInterruptPoint
from bamboo_engine.interrupt import (
    ExecuteInterrupter,
    ExecuteKeyPoint,
    InterruptException,
    ScheduleInterrupter,
    ScheduleKeyPoint,
)
from django.db import transaction
from pipeline.component_framework.library import ComponentLibrary
from pipeline.eri.runtime import BambooDjangoRuntime
from pipeline.exceptions import ComponentNotExistException

if TYPE_CHECKING:
    from pipeline.eri.models import Node

    from local_sops.runtime.dispatcher import Dispatcher

logger = logging.getLogger(__name__)

Headers = dict[str, Any] | None


class ServerStoppingError(Exception):
    """Raised between two nodes when the server stops; the process's position is already in the database."""


class LocalRuntime(BambooDjangoRuntime):
    """bamboo-pipeline's runtime on threads.

    Flows, states and data are the engine's. Only these differ: *execute*, *schedule* and
    *set_next_schedule* pass their work to the dispatcher instead of sending a Celery message.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def execute(
        self,
        process_id: int,
        node_id: str,
        root_pipeline_id: str,
        parent_pipeline_id: str,
        recover_point: ExecuteInterruptPoint | None = None,
        headers: Headers = None,
    ) -> None:
        """Advance a process from a node, on a worker thread."""
        self._dispatcher.submit(
            partial(
                self._run_execute,
                process_id,
                node_id,
                root_pipeline_id,
                parent_pipeline_id,
                recover_point,
                dict(headers or {}),
            )
        )

    def schedule(
        self,
        process_id: int,
        node_id: str,
        schedule_id: int,
        callback_data_id: int | None = None,
        recover_point: ScheduleInterruptPoint | None = None,
        headers: Headers = None,
    ) -> None:
        """Poll or call back a waiting node, on a worker thread."""
        self._dispatcher.submit(
            partial(
                self._run_schedule,
                process_id,
                node_id,
                schedule_id,
                callback_data_id,
                recover_point,
                dict(headers or {}),
            )
        )

    def set_next_schedule(
        self,
        process_id: int,
        node_id: str,
        schedule_id: int,
        schedule_after: float,
        headers: Headers = None,
        callback_data_id: int | None = None,
    ) -> None:
        """Poll a waiting node again after a number of seconds."""
        self._dispatcher.submit_later(
            schedule_after,
            partial(
                self._run_schedule,
                process_id,
                node_id,
                schedule_id,
                callback_data_id,
                None,
                dict(headers or {}),
            ),
        )

    def set_state(self, *args: Any, **kwargs: Any) -> str:
        """Set a node's state together with the server's data about it: a reader sees both or neither."""
        with transaction.atomic():
            version: str = super().set_state(*args, **kwargs)
        return version

    def set_current_node(self, process_id: int, node_id: str) -> None:
        """Store a process's position; the safe point at which a stopping server releases it."""
        super().set_current_node(process_id, node_id)
        if self._dispatcher.stopping:
            raise ServerStoppingError

    def interrupt_errors(self) -> tuple[type[Exception], ...]:
        """Errors after which the engine dispatches the same step again."""
        return (*super().interrupt_errors(), ServerStoppingError)

    def _run_execute(
        self,
        process_id: int,
        node_id: str,
        root_pipeline_id: str,
        parent_pipeline_id: str,
        recover_point: ExecuteInterruptPoint | None,
        headers: dict[str, Any],
    ) -> None:
        interrupter = ExecuteInterrupter(
            runtime=self,
            current_node_id=node_id,
            process_id=process_id,
            parent_pipeline_id=parent_pipeline_id,
            root_pipeline_id=root_pipeline_id,
            check_point=ExecuteInterruptPoint(name=ExecuteKeyPoint.ENTRY),
            recover_point=recover_point,
            headers=headers,
        )
        try:
            Engine(self).execute(
                process_id=process_id,
                node_id=node_id,
                root_pipeline_id=root_pipeline_id,
                parent_pipeline_id=parent_pipeline_id,
                interrupter=interrupter,
                headers=headers,
            )
        except InterruptException:
            logger.debug("node %s was interrupted and is dispatched again", interrupter.current_node_id)
        except ComponentNotExistException as error:
            # As on the server, the node stays RUNNING, and only a log line says why.
            logger.warning("node %s: no such plugin: %s", interrupter.current_node_id, error)

    def _run_schedule(
        self,
        process_id: int,
        node_id: str,
        schedule_id: int,
        callback_data_id: int | None,
        recover_point: ScheduleInterruptPoint | None,
        headers: dict[str, Any],
    ) -> None:
        interrupter = ScheduleInterrupter(
            runtime=self,
            process_id=process_id,
            current_node_id=node_id,
            schedule_id=schedule_id,
            callback_data_id=callback_data_id,
            check_point=ScheduleInterruptPoint(name=ScheduleKeyPoint.ENTRY),
            recover_point=recover_point,
            headers=headers,
        )
        try:
            Engine(self).schedule(
                process_id=process_id,
                node_id=node_id,
                schedule_id=schedule_id,
                interrupter=interrupter,
                callback_data_id=callback_data_id,
                headers=headers,
            )
        except InterruptException:
            logger.debug("polling node %s was interrupted and is dispatched again", node_id)


def is_repeatable(node: Node) -> bool:
    """Whether a ServiceActivity's plugin, which must be known, may be run again after a kill."""
    return bool(ComponentLibrary.get_component_class(node.code, node.version).repeatable)


def plugin_exists(node: Node) -> bool:
    """Whether a ServiceActivity's plugin is known here, by its engine row."""
    return node.version in ComponentLibrary.versions(node.code)

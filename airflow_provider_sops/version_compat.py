"""The only module that knows versions of Airflow and of ``common.compat``.

Airflow's own constraints pin a ``common.compat`` that is older than Airflow itself: 1.14 for 2.11.2, 1.19 for 3.3.2.
What these lack comes from here; everything else from ``common.compat.sdk``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.version_compat import get_base_airflow_version_tuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Connection
    from airflow.providers.common.compat.sdk import SkipMixin as SkipMixin
    from airflow.providers.common.compat.sdk import mask_secret as mask_secret

T = TypeVar("T")

_AIRFLOW = get_base_airflow_version_tuple()

AIRFLOW_V_3_0_PLUS = _AIRFLOW >= (3, 0, 0)
AIRFLOW_V_3_1_PLUS = _AIRFLOW >= (3, 1, 0)
AIRFLOW_V_3_3_PLUS = _AIRFLOW >= (3, 3, 0)
#: Whether a scheduler takes a late exit of the worker that deferred a task for the end of the task, although that waits
#: to be queued again: https://github.com/apache/airflow/issues/66374.
AIRFLOW_FAILS_RESUMED_TASKS = (3, 0, 0) <= _AIRFLOW < (3, 2, 2)

_STATS_MODULE = "airflow.sdk.observability.stats" if _AIRFLOW >= (3, 2, 0) else "airflow.stats"

if not TYPE_CHECKING:
    if AIRFLOW_V_3_1_PLUS:
        from airflow.sdk.log import mask_secret
    elif AIRFLOW_V_3_0_PLUS:
        from airflow.sdk.execution_time.secrets_masker import mask_secret
    else:
        from airflow.utils.log.secrets_masker import mask_secret

    if _AIRFLOW >= (3, 2, 0):
        from airflow.sdk.bases.skipmixin import SkipMixin
    else:
        from airflow.models.skipmixin import SkipMixin

__all__ = [
    "AIRFLOW_FAILS_RESUMED_TASKS",
    "AIRFLOW_V_3_0_PLUS",
    "AIRFLOW_V_3_1_PLUS",
    "AIRFLOW_V_3_3_PLUS",
    "SkipMixin",
    "get_async_connection",
    "get_async_extra_dejson",
    "get_stats",
    "mask_secret",
]


async def get_async_connection(conn_id: str) -> Connection:
    """Return an Airflow connection without blocking the event loop; its password is masked in logs."""
    from airflow.providers.common.compat.sdk import BaseHook, Connection

    if hasattr(Connection, "aextra_dejson"):
        return await BaseHook.aget_connection(conn_id)
    # Before Airflow 3.3.2, `aget_connection` masks with a blocking request, which an event loop may refuse.
    return await _in_thread(BaseHook.get_connection, conn_id)


async def get_async_extra_dejson(connection: Connection) -> dict[str, Any]:
    """Return a connection's extra without blocking the event loop; its secrets are masked in logs."""
    if hasattr(connection, "aextra_dejson"):
        return await connection.aextra_dejson()
    return await _in_thread(lambda: connection.extra_dejson)


def get_stats() -> Any:
    """Return Airflow's ``Stats``, with the methods ``incr``, ``timing`` and ``gauge``.

    In Airflow 3.3 there are two. This one is the tasks'; a triggerer has it too, initialised as it imports Airflow's
    serialization.
    """
    return importlib.import_module(_STATS_MODULE).Stats


async def _in_thread(function: Callable[..., T], *args: Any) -> T:
    # Only triggers need it, not DAG files.
    from asgiref.sync import sync_to_async

    return await sync_to_async(function)(*args)

"""What a SOPS task's description says of its maker, an Airflow task as a rule, for the people who see it in SOPS.

SOPS shows a description and never acts on it, and no call returns it: by what a task is found again is its name.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import get_current_context

from airflow_provider_sops.service.text import web_address, word

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: SOPS takes 20 kB; a MySQL that was set up with utf8 refuses characters beyond 16 bits.
_GREATEST_CHARACTER = 0xFFFF


def airflow_origin() -> str | None:
    """Return the description for a SOPS task that the running Airflow task makes; ``None`` outside of one."""
    try:
        context = get_current_context()
    except Exception:  # noqa: BLE001 - Airflow 2 and 3 raise different errors, and the description is no must
        return None
    return origin_in(context)


def origin_in(context: Context) -> str:
    """Return which DAG, run and task of which Airflow a context is of; it holds names and an address alone.

    The address is left out where Airflow does not know its own: then it is the default, ``localhost``.
    """
    ti: Any = context["ti"]
    mapped = f", map index {ti.map_index}" if ti.map_index >= 0 else ""
    named = f"DAG {word(ti.dag_id)}, run {word(ti.run_id)}, task {word(ti.task_id)}{mapped}, try {ti.try_number}"
    return _storable(f"Created by Airflow: {named}", _address(ti))


def notification_origin(subject: str, ti: Any = None) -> str:
    """Return the same for the SOPS task of a notification.

    :param subject: what the notification is about, by its names.
    :param ti: the task instance that it is about; ``None`` for a DAG run.
    """
    return _storable(f"Created by Airflow, to notify about: {subject}", "" if ti is None else _address(ti))


def command_origin(host: str) -> str:
    """Return the same for a SOPS task that somebody makes with ``airflow-sops``.

    :param host: the name of the machine on which the command runs.
    """
    return _storable(f"Created by airflow-sops on {word(host)}", "")


def _storable(text: str, address: str) -> str:
    text = f"{text}. {address}" if address else text
    return "".join(each if ord(each) <= _GREATEST_CHARACTER else "?" for each in text)


def _address(ti: Any) -> str:
    """Return the page of the task instance; empty if nobody else could open it."""
    address = web_address(str(getattr(ti, "log_url", "") or ""))
    host = urlsplit(address).hostname or "localhost"
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    return "" if is_local else address

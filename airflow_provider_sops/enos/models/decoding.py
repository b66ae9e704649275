"""Readers for what EnOS writes in more than one way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.service.storable import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_object(data: Any) -> Mapping[str, Any]:
    """Return the one object in an answer's ``data``: documented as a list, given as an object."""
    return read_mapping(read_list(data)[0]) if read_list(data) else read_mapping(data)


def decode(value: Any) -> Any:
    """Return what a text holds as JSON, as EnOS gives ``graph``, ``parameters`` and ``runMode``.

    What is no JSON, or no text, is returned as it is.
    """
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return read_json(value)
    except ValueError:
        return value

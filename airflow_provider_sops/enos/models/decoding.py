"""Readers for values that EnOS writes in more than one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.service.storable import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_object(data: Any) -> Mapping[str, Any]:
    """Return the one object in an answer's ``data``: documented as a list, sent as an object."""
    return read_mapping(read_list(data)[0]) if read_list(data) else read_mapping(data)


def decode(value: Any) -> Any:
    """Decode JSON in a string, as EnOS sends ``graph``, ``parameters`` and ``runMode``.

    Any other value is returned unchanged.
    """
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return read_json(value)
    except ValueError:
        return value

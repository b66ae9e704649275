"""What the definition of a constant says: its name, whether it is a password, and where that may stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_sops.service.reading import read_mapping, read_text

#: Parts of a definition that describe its form field, with values of their own.
_FORMS = ("meta", "form_schema", "schema")
_VALUES = ("value", "default")
_VARIABLE_KEY = re.compile(r"^\$\{(.*)\}$", re.DOTALL)


def variable_name(key: str) -> str:
    """Return ``name`` for ``${name}``; a key of another form is returned unchanged."""
    match = _VARIABLE_KEY.match(key)
    return match[1] if match else key


def is_password(constant: Any) -> bool:
    """Whether a constant has a password type, whose value must not be shown or stored."""
    constant = read_mapping(constant)
    return "password" in (
        read_text(constant.get("custom_type")).strip().lower(),
        read_text(constant.get("source_tag")).partition(".")[0].strip().lower(),
    )


def password_values(constant: Mapping[str, Any]) -> Iterator[Any]:
    """Yield every value in a password constant's definition: its own, and those of its form field."""
    if "value" in constant:
        yield constant["value"]
    waiting = [constant.get(name) for name in _FORMS]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            yield from (each[name] for name in _VALUES if name in each)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def without_password(constant: Mapping[str, Any]) -> dict[str, Any]:
    """Return a password constant's definition with an empty text in place of each value."""
    forms = {name: _emptied(constant[name]) for name in _FORMS if name in constant}
    return {**constant, "value": "", **forms}


def _emptied(form: Any) -> Any:
    if isinstance(form, Mapping):
        return {name: "" if name in _VALUES else _emptied(each) for name, each in form.items()}
    return [_emptied(each) for each in form] if isinstance(form, list) else form

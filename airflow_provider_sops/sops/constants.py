"""What the definition of a constant says: its name and whether it is a password."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_sops.service.reading import read_mapping, read_text

_VARIABLE_KEY = re.compile(r"^\$\{(.*)\}$", re.DOTALL)


def variable_name(key: str) -> str:
    """Return ``name`` for ``${name}``; a key of another form is returned unchanged."""
    match = _VARIABLE_KEY.match(key)
    return match[1] if match else key


def is_password(constant: Any) -> bool:
    """Whether a constant has a password type, whose value must not be shown or stored."""
    constant = read_mapping(constant)
    return "password" in (
        read_text(constant.get("custom_type")).lower(),
        read_text(constant.get("source_tag")).partition(".")[0].lower(),
    )

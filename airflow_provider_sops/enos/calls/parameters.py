"""Convert Python arguments to EnOS's parameters, and reject invalid ones before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.errors import EnosInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence


def whole_number(api: str, name: str, value: Any) -> int:
    """Return an id that EnOS takes as a number.

    :raises EnosInvalidParameterError: it is not a positive whole number.
    """
    try:
        number = 0 if isinstance(value, (bool, float)) else int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise EnosInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a positive whole number.")
    return number


def required_text(api: str, name: str, value: Any) -> str:
    """Return a string that must not be empty.

    :raises EnosInvalidParameterError: it is empty or not a string.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise EnosInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a non-empty string.")


def key_values(api: str, parameters: Any) -> list[dict[str, Any]]:
    """Return parameters of a flow as EnOS takes them.

    :raises EnosInvalidParameterError: they are not a mapping with string keys.
    """
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        raise EnosInvalidParameterError(
            f"parameters must be a dict of key to value, not {type(parameters).__name__}", api=api
        )
    return [{"key": key, "value": value} for key, value in parameters.items()]


def comma_separated(values: Sequence[int]) -> str:
    """Return numbers as EnOS's filters take them, ``1,2,3``."""
    return ",".join(map(str, values))

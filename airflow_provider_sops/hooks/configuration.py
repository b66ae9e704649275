"""The section ``[sops]`` of Airflow's configuration.

What an operator is given wins over the connection's extra, that over this section, and this over the defaults. The
section is read when a task or a trigger runs, never while a DAG file is parsed: it is the worker's or the triggerer's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.service.durations import seconds
from airflow_provider_sops.service.settings import DEFAULT_ANSWER_MEBIBYTES
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Of which ended nodes of a watched flow inputs, outputs and log are read.
NodeDetails = Literal["failed", "all", "none"]

_SECTION = "sops"
_DEFAULTS: Mapping[str, float] = {
    "max_outage_seconds": 3600.0,
    "max_answer_mb": DEFAULT_ANSWER_MEBIBYTES,
}


def poll_interval_seconds(given: float | None) -> float | None:
    """Return the time between two looks at a SOPS task; ``None`` for the usual pace, which follows the task's age.

    :param given: what an operator was given; ``None`` for nothing.
    :raises SopsInvalidParameterError: the configuration has something else than a number above 0.
    """
    return _configured("poll_interval_seconds", above_zero=True) if given is None else given


def max_outage_seconds(given: float | None) -> float:
    """Return how long SOPS may be out of reach; as ``poll_interval_seconds``, 0 or more."""
    return given if given is not None else _number("max_outage_seconds", above_zero=False)


def node_details(given: str | None) -> NodeDetails:
    """Return of which nodes of a watched flow inputs, outputs and log are read; as above.

    :raises SopsInvalidParameterError: it is another word.
    """
    name, value = "node_details", given
    if given is None:
        name = f"[{_SECTION}] node_details of Airflow's configuration"
        value = str(conf.get(_SECTION, "node_details", fallback=None) or "").strip() or "failed"
    words: tuple[NodeDetails, ...] = get_args(NodeDetails)
    for word in words:
        if word == value:
            return word
    raise SopsInvalidParameterError(f"{name} is {value!r}; it must be one of {', '.join(words)}")


def max_answer_mb() -> float:
    """Return how large an answer may be where the connection does not say; as above, in MiB."""
    return _number("max_answer_mb", above_zero=True)


def _number(option: str, *, above_zero: bool) -> float:
    configured = _configured(option, above_zero=above_zero)
    return _DEFAULTS[option] if configured is None else configured


def _configured(option: str, *, above_zero: bool) -> float | None:
    text = conf.get(_SECTION, option, fallback=None)
    if not str(text or "").strip():
        return None
    limit = "above 0" if above_zero else "of 0 or more"
    try:
        return seconds(option, float(text), above_zero=above_zero)
    except ValueError:
        raise SopsInvalidParameterError(
            f"[{_SECTION}] {option} of Airflow's configuration is {text!r}; it must be a number {limit}"
        ) from None

"""Times in EnOS's format: milliseconds since the epoch."""

from __future__ import annotations

import datetime
from typing import Any

import pendulum

from airflow_provider_sops.enos.errors import EnosInvalidParameterError


def milliseconds(moment: datetime.datetime | int) -> int:
    """Return a time in milliseconds since the epoch; a number is passed through.

    :raises EnosInvalidParameterError: the time has no zone: EnOS would assume its own.
    """
    if isinstance(moment, int):
        return moment
    if moment.utcoffset() is None:
        raise EnosInvalidParameterError(f"the time {moment.isoformat()} has no time zone")
    return round(moment.timestamp() * 1000)


def read_moment(value: Any, name: str) -> pendulum.DateTime:
    """Return a time from a rendered template: a datetime, an ISO 8601 string, or milliseconds since the epoch.

    :param name: the parameter's name, for the error.
    :raises EnosInvalidParameterError: it is none of these, or has no time zone.
    """
    text = str(value).strip()
    try:
        if isinstance(value, datetime.datetime):
            moment: datetime.datetime = value
        elif text.isascii() and text.isdigit():
            moment = datetime.datetime.fromtimestamp(int(text) / 1000, tz=datetime.UTC)
        else:
            moment = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise EnosInvalidParameterError(
            f"{name} is {value!r}, which is not a time",
            advice="Pass a time with a zone, for example {{ data_interval_end }}, or milliseconds since the epoch.",
        ) from None
    if moment.utcoffset() is None:
        raise EnosInvalidParameterError(f"{name} is {value!r}, which has no time zone")
    return pendulum.instance(moment).in_timezone("UTC")

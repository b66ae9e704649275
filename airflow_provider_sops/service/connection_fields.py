"""Read the fields of an Airflow connection, whether it came from a form, JSON or a URI."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_sops.service.settings import (
    CONNECT_SECONDS,
    DEFAULT_ANSWER_MEBIBYTES,
    DEFAULT_TIMEOUT_SECONDS,
    Limits,
    TransportSettings,
)

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from airflow_provider_sops.service.errors import InvalidParameterError, TransportErrors

#: The keys of the extra that ``transport`` and ``limits`` read.
TRANSPORT_KEYS = ("verify", "proxy", "timeout_seconds", "max_answer_mb")
_WORDS_FOR_TRUE = ("true", "1", "yes", "on")
_WORDS_FOR_FALSE = ("false", "0", "no", "off")


class AirflowConnection(Protocol):
    """The part of Airflow's ``Connection`` that is read here."""

    conn_id: Any
    host: Any
    port: Any
    schema: Any
    login: Any
    password: Any
    extra: Any


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """The fields of one connection. Forms send strings, often empty ones, and JSON sends any type; both are accepted.

    Every method raises ``errors.invalid_parameter`` for a missing or malformed value. The text names the field and
    never contains a secret.

    :param errors: the service's error classes.
    """

    connection: AirflowConnection = field(repr=False)
    extra: Mapping[str, Any] = field(repr=False)
    errors: TransportErrors = field(repr=False)

    @classmethod
    def of(cls, connection: AirflowConnection, errors: TransportErrors) -> ConnectionFields:
        """Return the fields of an Airflow connection, whose extra must be a JSON object or empty."""
        try:
            extra = json.loads(connection.extra) if connection.extra else {}
        except ValueError:
            extra = None
        fields = cls(connection, extra if isinstance(extra, dict) else {}, errors)
        if not isinstance(extra, dict):
            raise fields.malformed("extra must be a JSON object")
        return fields

    def malformed(self, reason: str) -> InvalidParameterError:
        """Return the error for a field that is wrong."""
        return self.errors.invalid_parameter(f"connection {text_of(self.connection.conn_id)!r}: {reason}")

    def transport(self) -> TransportSettings:
        """Return how to reach the service."""
        return TransportSettings(
            root=self.root(), errors=self.errors, verify=self.switch_or_path("verify"), proxy=self.url("proxy")
        )

    def limits(self, max_answer_mb: float = DEFAULT_ANSWER_MEBIBYTES) -> Limits:
        """Return the limits for one request.

        :param max_answer_mb: how large an answer may be if the extra does not say, in MiB.
        """
        seconds = self.number("timeout_seconds", "seconds", default=DEFAULT_TIMEOUT_SECONDS)
        mebibytes = self.number("max_answer_mb", "MiB", default=max_answer_mb)
        return Limits(
            total_seconds=seconds,
            connect_seconds=min(CONNECT_SECONDS, seconds),
            largest_answer_bytes=round(mebibytes * 1024**2),
        )

    def unused(self, known: Container[str]) -> tuple[str, ...]:
        """Return the unknown keys of the extra; they may be misspelt."""
        return tuple(sorted(key for key in self.extra if key not in known))

    def required(self, name: str, meaning: str) -> str:
        """Return one of the connection's own fields, such as ``login``."""
        value = text_of(getattr(self.connection, name))
        if not value:
            raise self.malformed(f"{name} ({meaning}) is empty")
        return value

    def root(self) -> str:
        """Return the address in ``host`` without a trailing slash; ``https://`` if it has no scheme."""
        host = text_of(self.connection.host)
        if not host:
            raise self.malformed("host is empty; set the gateway's address")
        if "://" not in host:
            host = f"{'http' if text_of(self.connection.schema).lower() == 'http' else 'https'}://{host}"
        parts = _split_url(host.rstrip("/"))
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.malformed("host must start with http:// or https://")
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise self.malformed("host must be the gateway's address alone, without a query, a fragment or a user")
        if self.connection.port and parts.port is None:
            parts = parts._replace(netloc=f"{parts.netloc}:{self.connection.port}")
        return str(parts.geturl())

    def text(self, key: str) -> str | None:
        """Return a string of the extra."""
        value = self.extra.get(key)
        if value is None or isinstance(value, str):
            return (value or "").strip() or None
        raise self.malformed(f"extra {key!r} must be a string")

    def header_text(self, key: str) -> str | None:
        """Return a string of the extra that is sent as the value of an HTTP header."""
        value = self.text(key)
        if value is None or (value.isascii() and value.isprintable() and " " not in value):
            return value
        raise self.malformed(f"extra {key!r} is {value!r}; it may hold printable ASCII characters alone, and no space")

    def choice(self, key: str, choices: tuple[str, ...], *, default: str) -> str:
        """Return a string of the extra that must be one of ``choices``."""
        value = self.text(key) or default
        if value in choices:
            return value
        raise self.malformed(f"extra {key!r} is {value!r}; it must be one of {', '.join(choices)}")

    def whole_number(self, key: str) -> str | None:
        """Return a positive whole number of the extra, as text."""
        value = text_of(self.extra.get(key))
        if not value or (value.isascii() and value.isdigit() and int(value) > 0):
            return value or None
        raise self.malformed(f"extra {key!r} is {value!r}; it must be a positive whole number")

    def switch_or_path(self, key: str) -> bool | str:
        """Return a boolean of the extra, true by default, or the path given instead."""
        value = self.extra.get(key)
        if isinstance(value, bool):
            return value
        text = text_of(value)
        if not text or text.lower() in _WORDS_FOR_TRUE:
            return True
        return False if text.lower() in _WORDS_FOR_FALSE else text

    def url(self, key: str) -> str | None:
        """Return an address of the extra."""
        value = self.text(key)
        if value is None:
            return None
        parts = _split_url(value)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.malformed(f"extra {key!r} must start with http:// or https://")
        return value

    def number(self, key: str, unit: str, *, default: float) -> float:
        """Return a number of the extra that must be above 0.

        :param unit: its unit, for the error.
        """
        value = self.extra.get(key)
        if value is None or value == "":
            return default
        try:
            number = float(value) if not isinstance(value, bool) else 0.0
        except (TypeError, ValueError):
            number = 0.0
        if 0 < number < float("inf"):
            return number
        raise self.malformed(f"extra {key!r} is {value!r}; it must be a number of {unit} above 0")


def text_of(value: Any) -> str:
    """Return a field as a string, stripped."""
    return "" if value is None else str(value).strip()


def _split_url(url: str) -> Any:
    """Return the parts of an address; ``None`` for a malformed one, for example with a port that is not a number."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - accessing it validates it
    except ValueError:
        return None
    return parts

"""How to reach a service and the limits of one request; both transports use these."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sops.service.errors import TransportErrors

CONNECT_SECONDS = 5.0
DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_ANSWER_MEBIBYTES = 64.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request and its answer.

    :param total_seconds: from connecting to the answer's last byte.
    :param connect_seconds: how long connecting may take.
    :param largest_answer_bytes: how large the answer may be, decompressed.
    """

    total_seconds: float = DEFAULT_TIMEOUT_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    largest_answer_bytes: int = int(DEFAULT_ANSWER_MEBIBYTES * 1024**2)

    def within(self, total_seconds: float, connect_seconds: float = CONNECT_SECONDS) -> Limits:
        """Return the limits of a request that has no more time than this."""
        total = min(self.total_seconds, total_seconds)
        return replace(self, total_seconds=total, connect_seconds=min(self.connect_seconds, total, connect_seconds))


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """How to reach a service.

    :param root: the gateway's address.
    :param errors: the service's error classes.
    :param verify: whether to verify TLS certificates, or the file or folder with the CA certificates.
    :param proxy: address of an HTTP proxy; ``None``: use the environment (``HTTPS_PROXY`` etc.).
    """

    root: str
    errors: TransportErrors
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)

    @property
    def proxies(self) -> dict[str, str]:
        """The proxy by scheme, as requests takes it."""
        return {"http": self.proxy, "https": self.proxy} if self.proxy else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The proxy's password, if it has one."""
        password = urlsplit(self.proxy).password if self.proxy else None
        return (password,) if password else ()

    @property
    def is_plain_text(self) -> bool:
        """Whether the connection to the gateway is unencrypted and leaves this machine."""
        parts = urlsplit(self.root)
        if parts.scheme != "http" or parts.hostname == "localhost":
            return False
        try:
            return not ipaddress.ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return True


def in_every_form(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return secrets as they are and URL-encoded, as HTTP libraries log them."""
    plain = tuple(secrets)
    return tuple(dict.fromkeys((*plain, *(quote(secret, safe="") for secret in plain))))

"""Warn about a questionable connection, once per process."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_sops.service.settings import TransportSettings

log = logging.getLogger(__name__)


def warn_about(service: str, secret: str, transport: TransportSettings, unused_extra: tuple[str, ...]) -> None:
    """Log a warning for plain-text transport and for unknown extra keys.

    :param service: its name.
    :param secret: the name of the secret that every request carries.
    :param unused_extra: unknown keys of the connection's extra.
    """
    if transport.is_plain_text:
        _warn_once("%s does not use https://: the %s crosses the network in plain text.", transport.root, secret)
    if unused_extra:
        _warn_once("The extra of the %s connection has unknown keys: %s.", service, ", ".join(unused_extra))


@functools.cache
def _warn_once(message: str, *values: str) -> None:
    log.warning(message, *values)

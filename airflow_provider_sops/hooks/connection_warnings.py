"""What is questionable about a connection, said once in a process."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_sops.service.settings import TransportSettings

log = logging.getLogger(__name__)


def warn_about(service: str, secret: str, transport: TransportSettings, unused_extra: tuple[str, ...]) -> None:
    """Log what is questionable.

    :param service: its name in words.
    :param secret: what every request carries that nobody else should see.
    :param unused_extra: keys of the connection's extra that mean nothing.
    """
    if transport.is_plain_text:
        _warn_once("%s is no https:// address: the %s crosses the network in plain text.", transport.root, secret)
    if unused_extra:
        _warn_once("The extra of the %s connection holds keys that mean nothing: %s.", service, ", ".join(unused_extra))


@functools.cache
def _warn_once(message: str, *values: str) -> None:
    log.warning(message, *values)

"""Addresses of assets that SOPS flows make: ``sops://host/business/name``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_FORM = "sops://HOST/BUSINESS/NAME, for example sops://bk-sops.example.com/2/nightly-backup"
#: Of flows that all businesses share.
_COMMON = "common"
_NUMBER = re.compile(r"0*([1-9][0-9]*)")


def normalize_uri(parts: SplitResult) -> SplitResult:
    """Return an address in its one form: the host in small letters, the business without leading zeros.

    Airflow calls this for each asset with the scheme ``sops``, while it parses a DAG file.

    :param parts: with host, then the id of the business, or ``common``, then a name, which may have ``/`` in it.
    :raises ValueError: it is anything else, or has a user or a query.
    """
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or "@" in parts.netloc:
        raise ValueError(f"the address of this asset has no host, a malformed port, or a user; it must be {_FORM}")
    if parts.query:
        raise ValueError(f"the address of this asset has a query; it must be {_FORM}")
    business, _, name = parts.path.removeprefix("/").partition("/")
    number = _NUMBER.fullmatch(business)
    if (number is None and business != _COMMON) or not all(name.split("/")):
        raise ValueError(f"the path of this asset's address is {parts.path!r}; it must be {_FORM}")
    where = f"[{host}]" if ":" in host else host
    return parts._replace(
        netloc=where if port is None else f"{where}:{port}", path=f"/{number[1] if number else business}/{name}"
    )

"""One HTTP request, ready to be sent, and one response: as a transport received it, and while its body arrives."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sops.service.storable import storable_text
from airflow_provider_sops.service.text import word

if TYPE_CHECKING:
    from airflow_provider_sops.service.errors import InvalidParameterError


Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request, ready to be sent.

    :param api: the call's name.
    :param url: complete, with the query. May hold secrets.
    :param headers: complete. May hold secrets.
    :param body: JSON in UTF-8; ``None`` for a GET.
    :param repeatable: whether it may be sent again if the answer was lost.
    :param ids: the ids in it, for errors and logs.
    """

    api: str
    method: Method
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    repeatable: bool
    ids: Mapping[str, str]

    @property
    def shown_url(self) -> str:
        """The address without the query, for logs and errors."""
        return self.url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One HTTP response, as a transport received it, redirects not followed.

    :param headers: by name; ``header`` ignores the case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """Return a header's value as a ``storable_text``, whatever the case of its name."""
        wanted = name.lower()
        return next((storable_text(value) for key, value in self.headers.items() if key.lower() == wanted), None)


def write_json(value: Any, *, api: str, error: type[InvalidParameterError]) -> bytes:
    """Return a value as JSON in UTF-8.

    :param api: the call it is for.
    :param error: raised if the value cannot be written.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain_mapping).encode()
    except (TypeError, ValueError, RecursionError) as reason:
        raise error(
            f"a parameter cannot be written as JSON: {reason}",
            api=api,
            advice="Pass strings, numbers, booleans, and lists and dicts of them.",
        ) from reason


def _plain_mapping(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON type")


#: What transports ask for; a server may send something else.
ACCEPTED_ENCODING = "gzip"
_COMPRESSED = ("gzip", "x-gzip", "deflate")
#: Recognises both gzip and zlib by their beginning.
_ANY_HEADER = zlib.MAX_WBITS | 32
_MEBIBYTE = 1024**2


class BodyError(Exception):
    """The body cannot be read.

    :param cut: whether another attempt may succeed.
    """

    def __init__(self, reason: str, *, cut: bool = False) -> None:
        super().__init__(reason)
        self.cut = cut


class BodyCollector:
    """Collects one body.

    :param encoding: the header ``Content-Encoding``.
    :param largest_bytes: how large the body may be, decompressed.
    :raises BodyError: the encoding is unknown.
    """

    def __init__(self, encoding: str | None, largest_bytes: int) -> None:
        name = word((encoding or "").lower())
        if name not in ("", "identity", *_COMPRESSED):
            raise BodyError(f"the answer has an unexpected Content-Encoding ({name})")
        self._decoder = zlib.decompressobj(_ANY_HEADER) if name in _COMPRESSED else None
        self._largest_bytes = largest_bytes
        self._content = bytearray()

    def add(self, piece: bytes) -> None:
        """Add a piece.

        :raises BodyError: the body is too large, or cannot be decompressed.
        """
        if self._decoder is None:
            self._keep(piece)
            return
        try:
            while piece:
                if self._decoder.eof:
                    self._decoder = zlib.decompressobj(_ANY_HEADER)
                self._keep(self._decoder.decompress(piece, self._largest_bytes - len(self._content) + 1))
                piece = self._decoder.unconsumed_tail or self._decoder.unused_data
        except zlib.error:
            raise BodyError("the answer cannot be decompressed", cut=True) from None

    @property
    def size(self) -> int:
        """How much has arrived so far, decompressed, in bytes."""
        return len(self._content)

    def content(self) -> bytes:
        """Return what has arrived, and forget it: a large body is not kept twice."""
        content = bytes(self._content)
        self.close()
        return content

    def close(self) -> None:
        """Forget what has arrived. An error that is kept keeps its traceback, and that whatever was being done."""
        self._content = bytearray()

    def _keep(self, piece: bytes) -> None:
        if len(self._content) + len(piece) > self._largest_bytes:
            raise BodyError(f"the answer is larger than {_size(self._largest_bytes)}")
        self._content += piece


def _size(number: int) -> str:
    return f"{number // _MEBIBYTE} MiB" if number % _MEBIBYTE == 0 else f"{number} bytes"

"""Collect the body of an answer piece by piece, decompress it, and stop at a size limit.

A few compressed bytes can stand for gigabytes, so what counts is the decompressed size, and no piece is decompressed
further than the limit.
"""

from __future__ import annotations

import zlib

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
        word = (encoding or "").strip().lower()
        if word not in ("", "identity", *_COMPRESSED):
            raise BodyError(f"the answer has an unexpected Content-Encoding ({word})")
        self._decoder = zlib.decompressobj(_ANY_HEADER) if word in _COMPRESSED else None
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

    def content(self) -> bytes:
        """Return what has arrived so far."""
        return bytes(self._content)

    def _keep(self, piece: bytes) -> None:
        if len(self._content) + len(piece) > self._largest_bytes:
            raise BodyError(f"the answer is larger than {_size(self._largest_bytes)}")
        self._content += piece


def _size(number: int) -> str:
    return f"{number // _MEBIBYTE} MiB" if number % _MEBIBYTE == 0 else f"{number} bytes"

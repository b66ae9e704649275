from __future__ import annotations

import gzip
import zlib

import pytest

from airflow_provider_sops.service.http import BodyCollector, BodyError

TEXT = b'{"result": true, "data": "\xe5\x8f\x91\xe5\xb8\x83"}' * 50


def collected(content: bytes, encoding: str | None, *, piece_bytes: int = 7, largest_bytes: int = 10_000) -> bytes:
    body = BodyCollector(encoding, largest_bytes)
    for start in range(0, len(content), piece_bytes):
        body.add(content[start : start + piece_bytes])
    return body.content()


@pytest.mark.parametrize("piece_bytes", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT, None),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), " X-GZIP "),
        (zlib.compress(TEXT), "deflate"),
        (gzip.compress(TEXT[:90]) + gzip.compress(TEXT[90:]), "gzip"),
    ],
)
def test_a_body_is_put_together_and_decompressed(content: bytes, encoding: str | None, piece_bytes: int) -> None:
    assert collected(content, encoding, piece_bytes=piece_bytes) == TEXT


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zlib.compress])
def test_the_limit_counts_decompressed_bytes(compress: type[bytes]) -> None:
    encoding = None if compress is bytes else "gzip"

    assert len(collected(compress(b"x" * 1000), encoding, largest_bytes=1000)) == 1000
    with pytest.raises(BodyError, match="the answer is larger than 999 bytes") as caught:
        collected(compress(b"x" * 1000), encoding, largest_bytes=999)
    assert caught.value.cut is False


def test_no_piece_is_decompressed_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched:
        def __init__(self) -> None:
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
            self.eof, self.unconsumed_tail, self.unused_data = False, b"", b""

        def decompress(self, piece: bytes, max_length: int) -> bytes:
            asked.append(max_length)
            return self._decoder.decompress(piece, max_length)

    body = BodyCollector("gzip", 1024**2)
    monkeypatch.setattr(body, "_decoder", Watched())

    with pytest.raises(BodyError, match="larger than 1 MiB"):
        body.add(gzip.compress(bytes(50 * 1024**2)))

    assert asked == [1024**2 + 1]


def test_what_is_cut_off_is_kept_as_far_as_it_came() -> None:
    assert TEXT.startswith(collected(gzip.compress(TEXT)[:60], "gzip"))


def test_broken_compression_may_be_better_the_next_time() -> None:
    with pytest.raises(BodyError, match="cannot be decompressed") as caught:
        collected(b"<html>", "gzip")
    assert caught.value.cut is True


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd"])
def test_other_compressions_are_refused_by_name(encoding: str) -> None:
    with pytest.raises(BodyError, match=f"unexpected Content-Encoding .{encoding}."):
        BodyCollector(encoding, 1000)

"""Everything that the hostile server can do, as data: one entry a kind."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.hostile.server import Exchange, answer

if TYPE_CHECKING:
    from collections.abc import Callable

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
GOOD = json.dumps({"result": True, "code": 0, "data": {"state": "RUNNING", "children": {}}}).encode()

_MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Kind:
    """One way to misbehave.

    :param answer: what the server does after it has read the request.
    """

    name: str
    answer: Callable[[Exchange], None]


def _said(*pieces: bytes) -> Callable[[Exchange], None]:
    return lambda exchange: exchange.say(*pieces)


def _dripped(at_once: bytes, slowly: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.say(at_once)
        exchange.drip(slowly)

    return behave


def _flooded(at_once: bytes, again_and_again: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.say(at_once)
        exchange.flood(again_and_again)

    return behave


def _stopped(*pieces: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.say(*pieces)
        exchange.keep_silent()

    return behave


def _cut(*pieces: bytes) -> Callable[[Exchange], None]:
    def behave(exchange: Exchange) -> None:
        exchange.say(*pieces)
        exchange.reset()

    return behave


def _compressed(encoding: str, body: bytes) -> bytes:
    head = f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return JSON + head.encode() + body


def _plain(body: bytes) -> bytes:
    return JSON + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def _zipped_zeros(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = bytes(_MEBIBYTE)
    return b"".join(packer.compress(block) for _ in range(mebibytes)) + packer.flush()


BOMB = _zipped_zeros(512)

#: The client waits for an answer that never ends: only its own time limit ends the call.
ENDLESS = (
    Kind("silence", lambda exchange: exchange.keep_silent()),
    Kind("trickled status line", _dripped(b"", OK)),
    Kind("trickled headers", _dripped(OK, b"X-Never-Ending: yes\r\n")),
    Kind("trickled body", _dripped(JSON + b"Content-Length: 5000\r\n\r\n", b" ")),
    Kind("trickled body without length", _dripped(JSON + b"\r\n", b" ")),
    Kind("trickled chunks", _dripped(CHUNKED, b"1\r\n \r\n")),
    Kind("trickled chunk size", _dripped(CHUNKED, b"0")),
    Kind("trickled trailers", _dripped(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Trailer: 1\r\n")),
    Kind("trickled gzip", _dripped(JSON + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b" "))),
    Kind("trickled continue", _dripped(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    Kind("body that stops", _stopped(JSON + b"Content-Length: 9\r\n\r\n{")),
)

#: The answer is larger than anybody wants, or pretends to be.
OVERSIZE = (
    Kind("gzip bomb", _said(_compressed("gzip", BOMB))),
    Kind("gzip bomb in members", _said(_compressed("gzip", gzip.compress(bytes(_MEBIBYTE)) * 512))),
    Kind("deflate bomb", _said(_compressed("deflate", zlib.compress(bytes(200 * _MEBIBYTE))))),
    Kind("two GiB of body", _flooded(JSON + b"Content-Length: 2147483648\r\n\r\n", b" ")),
    Kind("endless body without length", _flooded(JSON + b"\r\n", b" ")),
    Kind("endless chunks", _flooded(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n")),
    Kind("endless chunk size", _flooded(CHUNKED, b"0")),
    Kind("endless chunk extension", _flooded(CHUNKED + b"2;", b"x")),
    Kind("endless trailers", _flooded(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-Trailer: 1\r\n")),
    Kind("endless trailer line", _flooded(CHUNKED + b"2\r\n{}\r\n0\r\n", b"x")),
    Kind("endless headers", _flooded(OK, b"X-Header: value\r\n")),
    Kind("endless header line", _flooded(OK + b"X-Header: ", b"x")),
    Kind("endless status line", _flooded(b"HTTP/1.1 200 ", b"x")),
    Kind("endless continue", _flooded(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    Kind("endless cookies", _flooded(OK, b"Set-Cookie: a=" + b"b" * 4000 + b"\r\n")),
    Kind("endless blank lines", _flooded(b"", b"\r\n")),
)

#: Below or beside HTTP.
MALFORMED = (
    Kind("closed at once", _said()),
    Kind("reset at once", _cut()),
    Kind("reset in the headers", _cut(OK)),
    Kind("reset in the body", _cut(JSON + b"Content-Length: 500\r\n\r\n", GOOD[:20])),
    Kind("closed in the body", _said(JSON + b"Content-Length: 500\r\n\r\n", GOOD)),
    Kind("closed in a chunk", _said(CHUNKED, b"500\r\n", GOOD)),
    Kind("length too small", _said(JSON + b"Content-Length: 9\r\n\r\n", GOOD)),
    Kind("negative length", _said(JSON + b"Content-Length: -1\r\n\r\n", GOOD[:9])),
    Kind("length in words", _said(JSON + b"Content-Length: many\r\n\r\n", GOOD[:9])),
    Kind("length of 5000 digits", _said(JSON + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", GOOD[:9])),
    Kind("two lengths", _said(JSON + b"Content-Length: 9\r\nContent-Length: 8\r\n\r\n", GOOD[:9])),
    Kind("chunk size in words", _said(CHUNKED, b"many\r\n", GOOD)),
    Kind("negative chunk size", _said(CHUNKED, b"-5\r\n", GOOD)),
    Kind("chunk size beyond 64 bits", _said(CHUNKED, b"F" * 40 + b"\r\n", GOOD[:9])),
    Kind("SSH", _said(b"SSH-2.0-OpenSSH_9.6\r\n")),
    Kind("SMTP", _said(b"220 mail.example.com ESMTP\r\n")),
    Kind("HTTP/0.9", _said(GOOD)),
    Kind("HTTP/2", _said(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18))),
    Kind("TLS alert", _said(b"\x15\x03\x01\x00\x02\x02\x28")),
    Kind("status in words", _said(b"HTTP/1.1 fine OK\r\n\r\n")),
    Kind("status of 5000 digits", _said(b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\n")),
    Kind("status 42", _said(b"HTTP/1.1 42 Answer\r\n\r\n")),
    Kind("status 999", _said(b"HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n")),
    Kind("header without a colon", _said(OK + b"Content-Length\r\n\r\n")),
    Kind("header with NUL", _said(OK + b"X-Nul: a\x00b\r\nContent-Length: 3\r\n\r\nabc")),
    Kind("header of odd bytes", _said(OK + b"X-\xff\xfe: \x80\xff\r\nContent-Length: 3\r\n\r\nabc")),
    Kind("folded header", _said(OK + b"X-Fold: a\r\n b\r\n\tc\r\nContent-Length: 3\r\n\r\nabc")),
    Kind("bare line feeds", _said(b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc")),
    Kind("150 headers", _said(OK + b"X-Header: value\r\n" * 150 + b"Content-Length: 0\r\n\r\n")),
    Kind("header line of 100 kB", _said(OK + b"X-Header: " + b"v" * 100_000 + b"\r\n\r\n")),
    Kind("upgrade", _said(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")),
    Kind("no content", _said(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Kind("reset content", _said(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")),
    Kind("not modified", _said(b"HTTP/1.1 304 Not Modified\r\n\r\n")),
    Kind("wants a password", answer(b"", status="401 Unauthorized", WWW_Authenticate="Negotiate")),
    Kind(
        "wants the proxy's password", answer(b"", status="407 Proxy", Proxy_Authenticate='Digest realm="' + "x" * 999)
    ),
    Kind("br", _said(_compressed("br", GOOD))),
    Kind("zstd", _said(_compressed("zstd", GOOD))),
    Kind("gzip twice", _said(_compressed("gzip, gzip", gzip.compress(gzip.compress(GOOD))))),
    Kind("gzip that is none", _said(_compressed("gzip", GOOD))),
    Kind("gzip cut", _said(_compressed("gzip", gzip.compress(GOOD)[:-20]))),
    Kind("gzip with a wrong checksum", _said(_compressed("gzip", gzip.compress(GOOD)[:-8] + bytes(8)))),
    Kind("encoding of odd bytes", _said(JSON + b"Content-Encoding: \xff\x80\r\nContent-Length: 2\r\n\r\n{}")),
)

#: HTTP, but not the service.
FOREIGN = (
    Kind("redirect to itself", answer(b"", status="302 Found", Location="/")),
    Kind("redirect to another host", answer(b"", status="301 Moved", Location="http://169.254.169.254/latest/")),
    Kind("redirect that keeps the body", answer(b"", status="307 Again", Location="http://attacker.invalid/?t=1")),
    Kind("redirect to nowhere", answer(b"", status="302 Found")),
    Kind("redirect to a file", answer(b"", status="302 Found", Location="file:///etc/passwd")),
    Kind("redirect to rubbish", answer(b"", status="302 Found", Location="http://[::1/\x7f%zz" + "x" * 7000)),
    Kind("refresh", answer(b"<meta http-equiv=refresh>", Refresh="0; url=http://attacker.invalid/")),
    Kind("HTML", answer(b"<html><body>Log in, please</body></html>", Content_Type="text/html")),
    Kind("HTML that says it is JSON", answer(b"<html><body>Log in, please</body></html>")),
    Kind("HTML that never closes a tag", answer(b"<" * 900_000, Content_Type="text/html")),
    Kind("bad gateway", answer(b"<html>" + b"x" * 900_000, status="502 Bad Gateway", Content_Type="text/html")),
    Kind("internal error", answer(b'{"result":false,"code":"50000","message":null}', status="500 Error")),
    Kind("empty", answer(b"")),
    Kind("blank", answer(b" " * 500_000)),
    Kind("NUL bytes", answer(bytes(500_000))),
    Kind("UTF-16", answer(GOOD.decode().encode("utf-16"))),
    Kind("cut JSON", answer(GOOD[:-10])),
    Kind("text after the JSON", answer(GOOD + b"x")),
    Kind("null", answer(b"null")),
    Kind("a number", answer(b"5")),
    Kind("a list", answer(b"[" + GOOD + b"]")),
    Kind("a string", answer(json.dumps(GOOD.decode()).encode())),
    Kind("100,000 brackets", answer(b"[" * 100_000)),
    Kind("100,000 levels", answer(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    Kind("an object without a result", answer(b"{}")),
    Kind("result in words", answer(b'{"result":"true","data":{"state":"FINISHED"}}')),
    Kind("result 1", answer(b'{"result":1,"data":{"state":"FINISHED"}}')),
    Kind("result of the last of two keys", answer(b'{"result":true,"code":0,"result":false,"status":1}')),
    Kind("refusal with a code of 5000 digits", answer(b'{"result":false,"code":' + b"9" * 5000 + b"}")),
    Kind("refusal with a code in a list", answer(b'{"result":false,"code":[[1]],"status":{}}')),
    Kind("refusal with a code NaN", answer(b'{"result":false,"code":NaN}')),
    Kind("refusal with a code 1e999", answer(b'{"result":false,"code":1e999}')),
    Kind(
        "refusal with a deep message",
        answer(b'{"result":false,"code":7,"msg":1,"message":' + b"[" * 900 + b"]" * 900 + b"}"),
    ),
    Kind("refusal with a long message", answer(b'{"result":false,"code":7,"message":"' + b"x" * 900_000 + b'"}')),
    Kind("refusal with an odd trace", answer(b'{"result":false,"code":7,"trace_id":{"a":[1]},"requestId":[1]}')),
    Kind(
        "refusal with surrogates", answer(rb'{"result":false,"code":7,"message":"\ud800\u0000\udfff","msg":"\ud800"}')
    ),
)

TRANSPORT = (*ENDLESS, *OVERSIZE, *MALFORMED, *FOREIGN)

#: Values for the state of one task among others: the rest of the answer is as it should be.
DEEP: Any = []
for _ in range(400):
    DEEP = [DEEP]

_DEEP_JSON = "[" * 400 + "]" * 400
_RUNNING = '{"state":"RUNNING","children":{}}'


@dataclass(frozen=True)
class StatusKind:
    """What a server says of one task's state, as JSON text."""

    name: str
    status: str


ODD_STATUSES = (
    StatusKind("null", "null"),
    StatusKind("an empty list", "[]"),
    StatusKind("a list of one", f"[{_RUNNING}]"),
    StatusKind("a text", '"x"'),
    StatusKind("an empty text", '""'),
    StatusKind("an empty object", "{}"),
    StatusKind("a number", "5"),
    StatusKind("true", "true"),
    StatusKind("NaN", "NaN"),
    StatusKind("400 levels", _DEEP_JSON),
    StatusKind("state null", '{"state":null,"children":{}}'),
    StatusKind("state empty", '{"state":"","children":{}}'),
    StatusKind("state blank", '{"state":"  ","children":{}}'),
    StatusKind("state a number", '{"state":5,"children":{}}'),
    StatusKind("state a list", '{"state":["FINISHED"],"children":{}}'),
    StatusKind("state an object", '{"state":{"FINISHED":1},"children":{}}'),
    StatusKind("state of 400 levels", f'{{"state":{_DEEP_JSON},"children":{{}}}}'),
    StatusKind("state true", '{"state":true}'),
)

#: A status that names its state, and is odd elsewhere: the wait goes by the state.
ODD_BUT_FINISHED = tuple(
    StatusKind(name, status)
    for name, status in (
        ("children null", '{"state":"FINISHED","children":null}'),
        ("children a list", '{"state":"FINISHED","children":[1,2]}'),
        ("children a text", '{"state":"FINISHED","children":"x"}'),
        ("a child null", '{"state":"FINISHED","children":{"n1":null,"n2":5,"n3":[],"n4":"x"}}'),
        (
            "children of 400 levels",
            '{"state":"FINISHED","children":' + '{"n":{"state":"FINISHED","children":' * 400 + "{}" + "}}" * 400 + "}",
        ),
        ("400 levels elsewhere", f'{{"state":"FINISHED","x":{_DEEP_JSON}}}'),
        ("numbers of 5000 digits", '{"state":"FINISHED","elapsed_time":' + "9" * 5000 + ',"id":' + "1" * 5000 + "}"),
        ("NaN and Infinity", '{"state":"FINISHED","elapsed_time":NaN,"loop":-Infinity,"retry":1e999}'),
        ("two states", '{"state":"RUNNING","state":"FINISHED"}'),
        ("lone surrogates", r'{"state":"FINISHED","name":"\ud800","children":{"\udfff":{"state":"FINISHED"}}}'),
        ("NUL", r'{"state":"FINISHED","name":"a\u0000b","children":{"\u0000":{"state":"FINISHED"}}}'),
        (
            "times of blanks",
            '{"state":"FINISHED","start_time":"' + " " * 200_000 + '","finish_time":"' + " " * 200_000 + '"}',
        ),
        (
            "times out of range",
            '{"state":"FINISHED","start_time":"0001-01-01 00:00:00 +1400","finish_time":"9999-12-31 23:59:59 -1400"}',
        ),
        ("an odd key", '{"state":"FINISHED","__classname__":"os.system","__type":"x","__var":1,"__data__":1}'),
    )
)
#: The state word is the server's to choose: an unknown one means that the task goes on.
UNKNOWN_WORDS = (
    "BLOCKED",
    "\x1b[31mFINISHED\x1b[0m",
    "FINISHED\n",
    "finished",
    "FINISHED\u202e",
    "F" * 100_000,
    "{{ 7 * 7 }}",
)

#: What may stand where an answer's ``data`` should be.
ODD_DATA: dict[str, Any] = {
    "null": None,
    "[]": [],
    '"x"': "x",
    "{}": {},
    "5": 5,
    "true": True,
    "[null]": [None],
    "[[]]": [[]],
}

#: What may stand where a new task's id should be; none of them is one.
ODD_TASK_IDS = (
    '"abc"', '""', '"-5"', '"0"', "-5", "0", "null", "12.5", '"12.5"', "1e3", "true", "1180591620717411303424",
    "9" * 5000, "NaN", "Infinity", "[]", "[7]", "{}", '{"id":7}', '"7\\u0000"', '"\\u0667"', '"1_000"', '" "',
)  # fmt: skip

#: How a gateway may say when calls are accepted again: header, value, the seconds that it means; ``None`` for no word.
PAUSES: tuple[tuple[str, float | None], ...] = (
    ("0", 0), ("7", 7), (" 7 ", 7), ("7.5", 7.5), ("86400", 120), ("121", 120),
    ("9" * 300, 120), ("-5", None), ("", None), ("soon", None), ("NaN", None), ("inf", None), ("1e9", None),
    ("7, 8", None), ("0x10", None), ("\x00", None),
)  # fmt: skip

#: Values that a database, a log or Airflow itself cannot hold, as JSON text.
ODD_VALUES = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e999": "1e999",
    "NaN deep inside": '{"a":[{"b":[1,2,NaN]}]}',
    "lone surrogate": r'"a\ud800b"',
    "lone surrogate in a key": r'{"a\udfffb":1}',
    "NUL": r'"a\u0000b"',
    "NUL in a key": r'{"a\u0000b":1}',
    "beyond 64 bits": "1180591620717411303424",
    "below 64 bits": "-1180591620717411303424",
    "5000 digits": "9" * 5000,
    "300 levels": "[" * 300 + "]" * 300,
    "300 objects": '{"a":' * 300 + "1" + "}" * 300,
    "__classname__": '{"__classname__":"os.system","__data__":{"x":1},"__version__":1}',
    "__id__": '{"__id__":"a"}',
    "__type and __var": '{"__type":"datetime","__var":1}',
    "__type and __var deep inside": '[{"x":{"__type":"dict","__var":{}}}]',
}

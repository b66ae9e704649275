"""A triggerer under everything at once, with the limits that a connection has by default: it stays small and awake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.repertoire import OK, TRANSPORT, Kind
from tests.hostile.server import Exchange, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.hostile.server import HostileServer

#: Some 310 where the machine is idle, and more the busier it is, since what was read waits longer; without bounds it
#: would be gigabytes.
MOST_MEGABYTES = 600
#: Of its own processor time; for how long it stands still besides depends on the machine.
LONGEST_WORK_SECONDS = 1.0
_MEBIBYTE = 1024**2


def repeated(begin: bytes, unit: bytes, end: bytes, mebibytes: int) -> Callable[[Exchange], None]:
    """Return the behaviour of a server that sends a whole answer of some size, without having it in memory."""
    block = unit * max(1, 65536 // len(unit))
    blocks = mebibytes * _MEBIBYTE // len(block)
    length = len(begin) + blocks * len(block) + len(end)

    def behave(exchange: Exchange) -> None:
        exchange.say(OK, f"Content-Length: {length}\r\n\r\n".encode(), begin)
        for _ in range(blocks):
            exchange.say(block)
        exchange.say(end)

    return behave


_NODE = json.dumps({"state": "RUNNING", "name": "a node", "loop": 1, "version": "v" * 32, "children": {}}).encode()
_STATUS = b'{"result":true,"code":0,"data":{"state":"RUNNING","instanceId":"7-1","status":2,'
#: Valid, within the size that is accepted, and as costly to read as can be.
COSTLY = (
    Kind("lists without end", repeated(_STATUS + b'"x":[', b"[],", b"0]}}", 60)),
    Kind("objects without end", repeated(_STATUS + b'"x":[', b'{"a":1},', b"0]}}", 60)),
    Kind("as many lists as are accepted", repeated(_STATUS + b'"x":[', b"[],", b"0]}}", 2)),
    Kind("as many objects as are accepted", repeated(_STATUS + b'"x":[', b'{"a":{}},', b"0]}}", 5)),
    Kind("one text", repeated(_STATUS + b'"x":"', b"x", b'"}}', 60)),
    Kind("one text of escapes", repeated(_STATUS + b'"x":"', rb"\u00e9", b'"}}', 60)),
    Kind("one text of NUL", repeated(_STATUS + b'"x":"', rb"\u0000", b'"}}', 30)),
    Kind("one text with an emoji", repeated(_STATUS + b'"x":"', b"x", '😀"}}'.encode(), 60)),
    Kind("less text with an emoji", repeated(_STATUS + b'"x":"', b"x", '😀"}}'.encode(), 15)),
    Kind("one text with an escaped emoji", repeated(_STATUS + b'"x":"', b"x", rb'\ud83d\ude00"}}', 60)),
    Kind("nodes", repeated(_STATUS + b'"children":{', b'"n":' + _NODE + b",", b'"m":{}}}}', 30)),
    Kind("a page of text", repeated(b"<html>", b"x", b"</html>", 60)),
    Kind("blanks", repeated(b"", b" ", b"{}", 60)),
)
KINDS = (*COSTLY, *TRANSPORT)


@pytest.mark.timeout(170)
def test_it_stays_small_and_awake(server: HostileServer, connect: Callable[..., None], tmp_path: Any) -> None:
    connect(server.url, timeout_seconds=2.5, max_answer_mb=64)

    def behave(exchange: Exchange) -> None:
        target = exchange.request.target
        if "apim-token-service" in target:
            answer(b'{"status":0,"data":{"accessToken":"t0ken","expire":7200}}')(exchange)
        elif "get_task_status" in target or "get_task_detail" in target:
            KINDS[exchange.request.task_ids[0] - 1].answer(exchange)
        else:
            KINDS[int(target.partition("flowInstId=")[2].partition("-")[0]) - 1].answer(exchange)

    server.behave = behave
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "tests.hostile.triggerer", str(len(KINDS))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as triggerer:
        told, _ = triggerer.communicate(timeout=150)

    found = json.loads(told.splitlines()[-1])
    sys.stdout.write(f"a triggerer under everything: {found}\n")
    assert sum(found["ends"].values()) == 2 * len(KINDS)
    assert found["megabytes"] < MOST_MEGABYTES
    assert found["longest work of the event loop"] < LONGEST_WORK_SECONDS

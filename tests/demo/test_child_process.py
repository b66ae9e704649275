from __future__ import annotations

import fcntl
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest

from demo.child_process import ChildFailedError, ChildProcess

if TYPE_CHECKING:
    from pathlib import Path

WAIT_FOR_SIGNAL = "import signal; signal.pause()"


def python(code: str, tmp_path: Path, stop_seconds: float = 10) -> ChildProcess:
    return ChildProcess(
        "the child",
        [sys.executable, "-c", code],
        log_path=tmp_path / "child.log",
        environment=os.environ,
        stop_seconds=stop_seconds,
    )


def test_waiting_for_a_line_returns_what_the_pattern_caught(tmp_path: Path) -> None:
    with python(f"print('listening on 4711'); {WAIT_FOR_SIGNAL}", tmp_path) as child:
        assert child.wait_for_line(re.compile(r"listening on (\d+)"), timeout_seconds=30)[1] == "4711"


def test_a_child_that_dies_early_is_reported_with_its_exit_code_and_log(tmp_path: Path) -> None:
    with (
        python("import sys; print('no such table'); sys.exit(3)", tmp_path) as child,
        pytest.raises(ChildFailedError, match=r"(?s)the child ended with exit code 3.*no such table"),
    ):
        child.wait_for_line(re.compile("never printed"), timeout_seconds=30)


def test_a_child_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    with (
        python(WAIT_FOR_SIGNAL, tmp_path) as child,
        pytest.raises(ChildFailedError, match=r"the child was not ready after 0\.2 s"),
    ):
        child.wait_for_line(re.compile("never printed"), timeout_seconds=0.2)


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    child = ChildProcess("the child", [str(tmp_path / "nothing")], log_path=tmp_path / "log", environment={})

    with pytest.raises(ChildFailedError, match="the child could not be started"):
        child.start()


@pytest.mark.parametrize("on_sigterm", ["SIG_DFL", "SIG_IGN"])
def test_stopping_ends_the_child_and_whatever_it_started(tmp_path: Path, on_sigterm: str) -> None:
    # Parent and forked child share the lock: it is free only when both are gone.
    held = tmp_path / "held"
    code = f"""
import fcntl, os, signal
signal.signal(signal.SIGTERM, signal.{on_sigterm})
lock = open({str(held)!r}, "w")
fcntl.flock(lock, fcntl.LOCK_EX)
if os.fork():
    print("ready")
signal.pause()
"""
    with python(code, tmp_path, stop_seconds=0.2) as child, held.open("w") as lock:
        child.wait_for_line(re.compile("ready"), timeout_seconds=30)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

        child.stop()

        fcntl.flock(lock, fcntl.LOCK_EX)


def test_stopping_what_does_not_run_does_nothing(tmp_path: Path) -> None:
    child = python(WAIT_FOR_SIGNAL, tmp_path)
    child.stop()
    with child:
        child.stop()
    child.check()


def test_the_child_is_not_in_our_process_group(tmp_path: Path) -> None:
    with python(f"import os; print('group', os.getpgrp()); {WAIT_FOR_SIGNAL}", tmp_path) as child:
        group = child.wait_for_line(re.compile(r"group (\d+)"), timeout_seconds=30)[1]

    assert int(group) != os.getpgrp()

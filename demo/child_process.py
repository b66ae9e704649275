"""Start other programs, wait until they are ready, and end them with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.1


class ChildFailedError(Exception):
    """A program ended too early or did not become ready. The text ends with the tail of its log."""


class ChildProcess:
    """A program in a process group of its own, its output in a log file.

    As a context manager it ends the program on exit, with everything that it started: SIGTERM first, SIGKILL for the
    rest after a grace period.

    :param name: its name in messages.
    :param command: program and arguments; no shell is used.
    :param log_path: file that takes both output streams.
    :param environment: the whole environment of the program.
    :param stop_seconds: the grace period.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str],
        stop_seconds: float = 10,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._command = list(command)
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the program.

        :raises ChildFailedError: the program does not exist or may not be run.
        """
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    start_new_session=True,
                )
            except OSError as error:
                raise ChildFailedError(f"{self.name} could not be started: {error}") from error

    def check(self) -> None:
        """Check that the program is still running.

        :raises ChildFailedError: it has ended.
        """
        exit_code = None if self._process is None else self._process.poll()
        if exit_code is not None:
            raise ChildFailedError(f"{self.name} ended with exit code {exit_code}.\n{self.log_tail()}")

    def wait_for_line(self, pattern: re.Pattern[str], timeout_seconds: float) -> re.Match[str]:
        """Wait until a line of the output matches ``pattern``.

        :raises ChildFailedError: the program ended first, or the time limit passed.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if match := pattern.search(self.log_path.read_text(errors="replace")):
                return match
            self.check()
            time.sleep(_LOOK_AGAIN_SECONDS)
        raise ChildFailedError(f"{self.name} was not ready after {timeout_seconds:g} s.\n{self.log_tail()}")

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines of the output, under a heading with the log's path."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        return "\n".join([f"--- {self.log_path}", *text.splitlines()[-lines:]])

    def ask_to_stop(self) -> None:
        """Send SIGTERM and return at once; ``stop`` is still needed."""
        self._signal_group(signal.SIGTERM)

    def stop(self) -> None:
        """End the program and whatever it started; nothing happens if it does not run."""
        if self._process is None:
            return
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self._stop_seconds)
        # Grandchildren outlive a program that does not wait for them.
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _signal_group(self, signal_number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal_number)

"""A part of a cluster that is started, killed with -9 and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.child_process import ChildFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.cluster.parts import Part

_PROC_STAT_SESSION = 3


@dataclass(frozen=True)
class Life:
    """One process of a part, with all that it has started since.

    Its own process is not waited for until the end: so the system gives its id, which is the id of the session too, to
    nobody else, and whatever is in that session has been started by it.
    """

    process: subprocess.Popen[bytes]
    log_path: Path
    begun: float

    @property
    def has_ended(self) -> bool:
        """Whether its own process has ended; it may have left others behind."""
        ended = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is not None

    def kill(self, *, whole_host: bool) -> None:
        """Kill it with -9: its own process alone, or all that it has started too, as if its host were gone."""
        for pid in [self.process.pid, *(self._others() if whole_host else ())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """Send SIGTERM to its own process."""
        if not self.has_ended:
            self.process.terminate()

    def clean_up(self) -> None:
        """Kill what is left, until nothing is, and wait for its own process."""
        while True:
            self.kill(whole_host=True)
            if not any(True for _ in self._others()):
                break
            time.sleep(0.1)
        self.process.wait()

    def _others(self) -> Iterator[int]:
        """The ids of the other living processes of the session."""
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and (pid := int(process.name)) != self.process.pid:
                with contextlib.suppress(OSError):
                    state, session = _state_and_session(pid)
                    if session == self.process.pid and state != "Z":
                        yield pid


class Member:
    """A part, alive or not.

    :param command: program and arguments.
    :param folder: gets a log for each of its lives.
    :param environment: of the program.
    """

    def __init__(self, part: Part, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        self.part = part
        self._command = list(command)
        self._folder = folder
        self._environment = dict(environment)
        self._lives: list[Life] = []

    @property
    def life(self) -> Life:
        """The latest one."""
        return self._lives[-1]

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""
        return bool(self._lives) and not self.life.has_ended

    def start(self, python_path: str) -> None:
        """Start it.

        :param python_path: where it finds the version of the provider that it is to run.
        """
        log_path = self._folder / f"{self.part}.{len(self._lives) + 1}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._environment, "PYTHONPATH": python_path, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        self._lives.append(Life(process, log_path, time.time()))

    def check(self) -> None:
        """Check that it has not ended by itself.

        :raises ChildFailedError: it has.
        """
        if not self.is_up:
            tail = "\n".join(self.life.log_path.read_text(errors="replace").splitlines()[-30:])
            raise ChildFailedError(f"{self.part} has ended, see {self.life.log_path}:\n{tail}")

    def clean_up(self) -> None:
        """End all that it has ever started."""
        for life in self._lives:
            life.clean_up()


def _state_and_session(pid: int) -> tuple[str, int]:
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - thousands of times
        # The name before may hold anything, blanks and brackets too.
        fields = stat.read().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[_PROC_STAT_SESSION])

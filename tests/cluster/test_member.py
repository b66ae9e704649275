"""A part is killed alone or with all that it has started, and leaves nothing behind in the end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.child_process import ChildFailedError
from tests.cluster.member import Member
from tests.cluster.parts import Kind, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

# Says the id of a child, in a process group of its own as Airflow's tasks are.
_PARENT = """
import subprocess, time
print(subprocess.Popen(["sleep", "60"], process_group=0).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    command = [sys.executable, "-c", _PARENT]
    member = Member(Part(Kind.WORKER, 1), command, folder=tmp_path, environment=dict(os.environ))
    member.start("")
    yield member
    member.clean_up()


def child_of(member: Member) -> int:
    deadline = time.monotonic() + 30
    while not (text := member.life.log_path.read_text()).endswith("\n"):
        assert time.monotonic() < deadline, text
        time.sleep(0.01)
    return int(text)


def runs(pid: int) -> bool:
    """Whether a process that is not this one's child runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(pid)


def test_a_kill_of_its_process_leaves_its_children(member: Member) -> None:
    child = child_of(member)
    member.life.kill(whole_host=False)
    assert ends(member.life.process.pid)
    assert not member.is_up
    assert runs(child)
    member.clean_up()
    assert ends(child)


def test_a_kill_of_its_host_ends_its_children(member: Member) -> None:
    child = child_of(member)
    member.life.kill(whole_host=True)
    assert ends(child)


def test_a_new_life_is_another_process_with_a_log_of_its_own(member: Member) -> None:
    before = member.life
    child_of(member)
    member.life.kill(whole_host=True)
    member.start("")
    assert member.is_up
    assert member.life.process.pid != before.process.pid
    assert member.life.log_path != before.log_path


def test_an_end_that_nobody_has_planned_is_an_error(member: Member) -> None:
    member.check()
    child_of(member)
    member.life.kill(whole_host=True)
    assert ends(member.life.process.pid)
    with pytest.raises(ChildFailedError, match="worker-1 has ended"):
        member.check()

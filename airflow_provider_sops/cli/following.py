"""Following a SOPS task from the command line, and telling how it ended."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.cli.commands import FAILED, INTERRUPTED, JSON, NOT_OVER, NOT_SO, SUCCESS
from airflow_provider_sops.cli.terminal import json_line, one_line, write, write_json, write_table
from airflow_provider_sops.sops.next_steps import NextSteps
from airflow_provider_sops.sops.outcome import outcome_error
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.sops.task_wait import TaskWait
from airflow_provider_sops.sops.wait_result import Outcome, WaitPolicy
from airflow_provider_sops.waiting.follow import follow, steady_clock

if TYPE_CHECKING:
    import argparse

    from airflow_provider_sops.cli.task_view import TaskView
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail, TaskStatus
    from airflow_provider_sops.sops.wait_result import WaitResult
    from airflow_provider_sops.waiting.model import Look

_START_SECONDS = 600.0
_POLL_SECONDS = 3.0

_CODES = {
    Outcome.FINISHED: SUCCESS,
    Outcome.FAILED: NOT_SO,
    Outcome.REVOKED: NOT_SO,
    Outcome.EXPIRED: NOT_SO,
    Outcome.UNKNOWN_TASK: FAILED,
}

_RUN_AGAIN = "To run the flow again, run the template again."


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of a task.

    :param result: how the wait ended; ``None`` if the task goes on and was looked at once only.
    :param status: the last answer, without passwords; ``None`` if there was none.
    :param outputs: without passwords; only of a task that is FINISHED.
    :param again: the command that follows the task.
    """

    detail: TaskDetail
    result: WaitResult | None
    status: TaskStatus | None
    outputs: dict[str, Any]
    again: str

    @property
    def code(self) -> int:
        """The exit code."""
        return NOT_OVER if self.result is None else _CODES.get(self.result.outcome, NOT_OVER)

    @property
    def error(self) -> str:
        """Why the task is not FINISHED, and what to do; empty if it is, or if it goes on."""
        if self.result is None or self.result.outcome == Outcome.FINISHED:
            return ""
        follow_it = f"Follow it with `{self.again}`."
        steps = NextSteps(
            failed=f"Retry or skip the node there, then follow the task with `{self.again}`.",
            revoked=_RUN_AGAIN,
            expired=_RUN_AGAIN,
            timed_out=follow_it,
            unreachable=follow_it,
            not_started=follow_it,
        )
        return str(outcome_error(self.result, self.detail.id or 0, self.detail.task_url, steps))


def follow_task(
    hook: SopsHook, task_id: int, options: argparse.Namespace, view: TaskView, *, once: bool = False
) -> Followed:
    """Follow a task to its end, or look at it once.

    :param options: the command line, with ``poll_seconds`` and ``timeout_seconds``.
    :param once: look once, and again only while an answer needs confirming within seconds.
    :raises SopsError: there is no such task, or it cannot be read.
    """
    # Not needed for --help.
    from airflow_provider_sops.task_instance.outputs import read_outputs
    from airflow_provider_sops.task_instance.task_follower import SopsLooks

    detail = hook.get_task_detail(task_id, fresh=True)
    secrets = TaskSecrets([detail])
    view.begin(detail, secrets.tree())
    clock = steady_clock()
    wait = TaskWait(_policy(options, clock()), clock(), tree_is_whole=False)
    looks = SopsLooks(hook, task_id, wait, view.log, clock=clock, secrets=secrets)
    looks.learn(detail)
    seen: list[TaskStatus] = []

    def ask(look: Look) -> TaskStatus:
        status = looks(look)
        seen[:] = [status]
        view.show(status)
        return status

    result = (
        follow(wait, ask, looks.tell, once=True, clock=clock) if once else follow(wait, ask, looks.tell, clock=clock)
    )
    is_finished = result is not None and result.outcome == Outcome.FINISHED
    outputs = read_outputs(hook, task_id) if is_finished else {}
    return Followed(detail, result, seen[0] if seen else None, outputs, _follow_command(task_id, options))


def _policy(options: argparse.Namespace, now: float) -> WaitPolicy:
    timeout = options.timeout_seconds
    return WaitPolicy(
        poll_interval_seconds=float(options.poll_seconds or _POLL_SECONDS),
        deadline=None if timeout is None else now + float(timeout),
        start_deadline=now + _START_SECONDS,
        # A person watches: an answer out of SOPS's cache may be ten seconds old and go back in time.
        always_fresh=True,
    )


def report(followed: Followed, options: argparse.Namespace, *, with_nodes: bool = False) -> int:
    """Write what became of a task, and return the exit code.

    :param with_nodes: whether the text names the nodes; JSON always does.
    """
    detail, status = followed.detail, followed.status
    state = status.state if status else ""
    if options.output == JSON:
        write_json(
            {
                "sops_task_id": detail.id,
                "sops_task_url": detail.task_url,
                "name": detail.name,
                "state": state,
                "outcome": followed.result.outcome.value if followed.result else None,
                "error": followed.error or None,
                "outputs": followed.outputs,
                "nodes": _nodes(status),
            }
        )
        return followed.code
    write(f"SOPS task {detail.id} {one_line(detail.name)}: {state or 'no answer'}\n")
    if detail.task_url:
        write(f"{detail.task_url}\n")
    if with_nodes:
        nodes = [node for node in _nodes(status) if node["name"]]
        write_table(
            ("NODE", "STATE", "SECONDS", "TRIES"),
            [_cells(node) for node in nodes],
            numbers=("SECONDS", "TRIES"),
        )
    for name, value in followed.outputs.items():
        write(f"{one_line(name)} = {json_line(value)}\n")
    if followed.error:
        sys.stderr.write(f"{followed.error}\n")
    return followed.code


def _cells(node: dict[str, Any]) -> tuple[str, ...]:
    name = "  " * len(node["in"]) + one_line(node["name"])
    state = f"{node['state']} (skipped)" if node["skipped"] else node["state"]
    return name, state, str(node["seconds"]), str(node["retry"] + 1)


def _nodes(status: TaskStatus | None) -> list[dict[str, Any]]:
    return [
        {
            "id": node.id,
            "name": node.name,
            "in": list(path),
            "state": node.state,
            "round": node.loop,
            "retry": node.retry,
            "skipped": node.skip,
            "seconds": node.elapsed_seconds,
            "start_time": node.start_time_text or None,
            "finish_time": node.finish_time_text or None,
            "error": status.error_of(node) or None,
        }
        for path, node in (status.walk() if status else ())
        if status
    ]


def interrupted(task_id: int | None, url: str, name: str, options: argparse.Namespace) -> int:
    """Write what Ctrl-C leaves behind, and how to go on; return the exit code.

    :param task_id: ``None`` if no answer of SOPS has named the task yet.
    :param name: the task's name, by which it can be found.
    """
    if task_id is None:
        sys.stderr.write(
            "\nInterrupted before SOPS named a task. If it was just being created, SOPS has an unstarted task that does"
            f" nothing: {one_line(name)}\n"
        )
        return INTERRUPTED
    sys.stderr.write(
        f"\nInterrupted. SOPS task {task_id} goes on in SOPS{f': {url}' if url else '.'}\n"
        f"  follow it:  {_follow_command(task_id, options)}\n"
        f"  revoke it:  airflow-sops revoke {task_id}{_place(options)}\n"
    )
    return INTERRUPTED


def _follow_command(task_id: int, options: argparse.Namespace) -> str:
    return f"airflow-sops status {task_id} --follow{_place(options)}"


def _place(options: argparse.Namespace) -> str:
    given = {"--conn-id": options.conn_id, "--bk-biz-id": options.bk_biz_id, "--scope": options.scope}
    needed = [(flag, value) for flag, value in given.items() if value and value != "sops_default"]
    return "".join(f" {flag} {shlex.quote(value)}" for flag, value in needed)

"""People who work in SOPS itself while Airflow waits: they answer, repair, revoke and pause."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsError

if TYPE_CHECKING:
    from tests.faults.plan import RunPlan
    from tests.faults.sops_database import RanTask, SopsDatabase
    from tests.faults.story import Story

_LOOK_SECONDS = 0.15
_PAUSED_SECONDS = 0.6
_LONGEST_REPAIR_SECONDS = 3.0


class People:
    """A context manager: within it, people do what the plan says, over a connection that nothing disturbs.

    :param sops_conn_id: that connection.
    :param keyword: finds the run's tasks.
    """

    def __init__(self, plan: RunPlan, database: SopsDatabase, sops_conn_id: str, keyword: str, story: Story) -> None:
        self._plan = plan
        self._database = database
        self._keyword = keyword
        self._story = story
        self._hook = SopsHook(sops_conn_id)
        self._over = threading.Event()
        self._repaired = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"people-{plan.name}", daemon=True)

    def __enter__(self) -> People:
        if self._plan.people_do != "nothing":
            self._thread.start()
        return self

    def wait_for_repair(self) -> None:
        """Wait, as whoever clears a failed task does, until somebody has repaired it in SOPS, or else not for long."""
        if self._plan.people_do in ("retry", "skip"):
            self._repaired.wait(_LONGEST_REPAIR_SECONDS)

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(30)
        self._hook.close()

    def _work(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            task = self._task()
            if task is None:
                continue
            if self._over.wait(self._plan.people_after_seconds):
                return
            try:
                done = self._act(task)
            except SopsError as error:
                self._story.tell("people", f"{self._plan.people_do}: {error}")
            else:
                if done:
                    return

    def _task(self) -> RanTask | None:
        """Return the task that runs, once there is something to be done with it."""
        running = [task for task in self._database.tasks(self._keyword) if task.is_started and not task.is_over]
        for task in running:
            if self._plan.people_do in ("revoke", "pause and resume") or self._nodes(task):
                return task
        return None

    def _nodes(self, task: RanTask) -> list[str]:
        if self._plan.people_do == "answer":
            return [node.id for node in task.nodes if node.waits_for_person and node.state == "RUNNING"]
        return [node.id for node in task.nodes if node.state == "FAILED"]

    def _act(self, task: RanTask) -> bool:
        """Do it; return whether that was all."""
        do = self._plan.people_do
        if do == "revoke":
            self._hook.operate_task(task.id, "revoke")
        elif do == "pause and resume":
            self._hook.operate_task(task.id, "pause")
            time.sleep(_PAUSED_SECONDS)
            while True:
                try:
                    self._hook.operate_task(task.id, "resume")
                except SopsError as error:
                    self._story.tell("people", f"resume: {error}")
                    if error.http_status == 200:
                        break
                    time.sleep(_PAUSED_SECONDS)
                else:
                    break
        else:
            for node in self._nodes(task):
                self._hook.operate_node(task.id, node, "callback" if do == "answer" else do)
            self._repaired.set()
        self._story.tell("people", f"{do}: task {task.id}")
        # Answers and repairs go on; the rest happens once.
        return do not in ("answer", "skip")

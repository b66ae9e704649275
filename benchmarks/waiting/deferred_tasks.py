"""An Airflow home whose metadata database holds deferred task instances, and what became of them."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.databases import epoch_seconds, read_rows
from benchmarks.progress import say
from benchmarks.scope import WAITS_PER_TRIGGERER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
#: What Airflow resumes a task with whose trigger has failed.
_FAILS = "__fail__"


class AirflowCommandError(Exception):
    """An ``airflow`` command failed; the text ends with its output."""


@dataclass(frozen=True)
class DeferredTasks:
    """An Airflow home with task instances that can be deferred; they have the numbers 1, 2, ...

    :param home: its AIRFLOW_HOME.
    """

    home: Path

    @classmethod
    def prepare(cls, home: Path, tasks: int) -> DeferredTasks:
        """Make a home with at least so many task instances, none deferred. Takes some 20 seconds.

        :raises AirflowCommandError: Airflow cannot be set up.
        """
        say(f"preparing an Airflow with {tasks} deferred tasks")
        made = cls(home)
        made._airflow("db", "migrate")
        made._airflow("dags", "reserialize")
        for number in range(-(-tasks // WAITS_PER_TRIGGERER)):
            made._airflow("dags", "trigger", "waits", "--run-id", f"run_{number:03}")
        return made

    def copy(self, home: Path) -> DeferredTasks:
        """Copy what was prepared to another home."""
        shutil.copytree(self.home, home)
        return DeferredTasks(home)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this Airflow's programs, without any setting of another Airflow."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return inherited | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "benchmarks/dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            # All waits are to begin in the first seconds.
            "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": str(WAITS_PER_TRIGGERER),
            "PYTHONPATH": str(ROOT),
        }

    def defer(self, triggers: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Defer the first task instances, as workers do.

        :param triggers: class path and arguments for each.
        """
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        with closing(sqlite3.connect(self._database)) as database, database:
            instances = database.execute("SELECT id FROM task_instance ORDER BY run_id, map_index").fetchall()
            for number, ((instance,), (classpath, arguments)) in enumerate(zip(instances, triggers, strict=False), 1):
                database.execute(
                    "INSERT INTO trigger (id, classpath, kwargs, created_date) VALUES (?, ?, ?, ?)",
                    (number, classpath, json.dumps(arguments), now),
                )
                database.execute(
                    "UPDATE task_instance SET state = 'deferred', trigger_id = ?, next_method = 'execute_complete',"
                    " start_date = ?, try_number = 1 WHERE id = ?",
                    (number, now, instance),
                )

    def all_are_taken(self) -> bool:
        """Whether triggerers have taken all deferred tasks."""
        ((waiting,),) = read_rows(self._database, "SELECT count(*) FROM trigger WHERE triggerer_id IS NULL")
        return not waiting

    def still_deferred(self) -> int:
        """Return how many have not been resumed yet."""
        ((deferred,),) = read_rows(self._database, "SELECT count(*) FROM task_instance WHERE state = 'deferred'")
        return int(deferred)

    def resumed(self) -> dict[int, float]:
        """Return when tasks were resumed, in seconds since the epoch, by number.

        One that was resumed to fail is not among them.
        """
        query = "SELECT state, next_method, scheduled_dttm FROM task_instance ORDER BY run_id, map_index"
        rows = read_rows(self._database, query)
        return {
            number: epoch_seconds(moment)
            for number, (state, next_method, moment) in enumerate(rows, 1)
            if state == "scheduled" and next_method != _FAILS
        }

    @property
    def _database(self) -> Path:
        return self.home / "airflow.db"

    def _airflow(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).with_name("airflow")), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AirflowCommandError(f"airflow {' '.join(arguments)} failed.\n{done.stdout}{done.stderr}")


@dataclass
class PreparedHomes:
    """Prepares a home when it is first needed.

    :param folder: where homes are made.
    """

    folder: Path
    _prepared: dict[int, DeferredTasks] = field(default_factory=dict)

    def for_tasks(self, tasks: int) -> DeferredTasks:
        """Return a home with at least so many task instances, to be copied."""
        runs = -(-tasks // WAITS_PER_TRIGGERER)
        if runs not in self._prepared:
            self._prepared[runs] = DeferredTasks.prepare(self.folder / f"{runs}_runs", tasks)
        return self._prepared[runs]

"""Which SOPS tasks a DAG run has, as Airflow's database tells it.

Where a SOPS task lives (connection, business, scope) comes from the rendered fields of a task instance, which nobody
can edit. Its id comes from there too for tasks that were given one. All others push it to XCom, which people with the
permission can edit; so the name of such a SOPS task has to carry the key of a task instance of the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import and_, select

from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.service.text import web_address
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.task_instance.xcom import (
    NODE_XCOM_KEY,
    TASK_ID_XCOM_KEY,
    TASK_STATE_XCOM_KEY,
    TASK_URL_XCOM_KEY,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    XComModel: Any
else:
    # Airflow 2, which never gets here, has no such class.
    from airflow.models.xcom import XComModel

#: Of the tasks that a generated DAG has, those that this module must tell apart.
WATCH_START, NATIVE_START, MIRROR = "FlowStartOperator", "FlowBeginOperator", "NodeMirrorOperator"
_XCOM_KEYS = (TASK_ID_XCOM_KEY, TASK_URL_XCOM_KEY, TASK_STATE_XCOM_KEY, NODE_XCOM_KEY)


@dataclass(frozen=True, slots=True)
class Instance:
    """A task instance of the run.

    :param operator: the name of its class.
    :param state: Airflow's word for its state; empty before it has one.
    :param began: when it began, for the order of a list; empty before.
    :param fields: its rendered fields; empty for a task that has not begun, and for one that lives in the triggerer.
    :param pushed: what it has pushed of ``_XCOM_KEYS``.
    """

    task_id: str
    map_index: int
    operator: str
    state: str
    began: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pushed: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def site(self) -> Site | None:
        """Where its SOPS tasks live; ``None`` for a task of no SOPS operator, or one that has not begun."""
        conn_id = self.fields.get("sops_conn_id")
        if not isinstance(conn_id, str) or not conn_id:
            return None
        business, scope = self.fields.get("bk_biz_id"), self.fields.get("scope")
        return Site(conn_id, business if isinstance(business, int | str) else None, read_text(scope) or None)

    @property
    def given_id(self) -> int | None:
        """The SOPS task that it was given; ``None`` if it makes its own."""
        return read_id(self.fields.get("sops_task_id"))

    @property
    def sops_task_id(self) -> int | None:
        """Its SOPS task."""
        return self.given_id or read_id(self.pushed.get(TASK_ID_XCOM_KEY))

    @property
    def node_id(self) -> str:
        """The node of the SOPS task that it stands for, as far as that is known; else empty."""
        return read_text(read_mapping(self.pushed.get(NODE_XCOM_KEY)).get("node_id"))

    @property
    def group(self) -> str:
        """The task group around the first task of a flow, with a dot behind it; empty for none."""
        return self.task_id.removesuffix("start")


@dataclass(frozen=True, slots=True)
class RunTask:
    """A SOPS task of the run.

    :param head: the first task instance that belongs to it.
    :param url: its page in SOPS; empty if SOPS gives none.
    :param digests: of the keys of which its name has to carry one; empty if its id is beyond doubt.
    :param asked: the task instance in question; ``None`` if the run as a whole is.
    :param group: the task group around the flow, with a dot behind it, if the task instance in question is one of a
        watched flow; empty for none.
    """

    site: Site
    sops_task_id: int
    head: Instance
    url: str = ""
    digests: frozenset[str] = frozenset()
    asked: Instance | None = None
    group: str = ""

    @property
    def key(self) -> str:
        """What tells it from others of the run; two of different businesses may have the same id."""
        return f"{self.sops_task_id} {self.site.bk_biz_id} {self.site.sops_conn_id}"

    def is_ours(self, name: str) -> bool:
        """Whether a SOPS task of this name is of this run."""
        key = TaskKey.in_name(name)
        return not self.digests or (key is not None and key.digest in self.digests)


@dataclass(frozen=True, slots=True)
class Run:
    """The SOPS side of a DAG run.

    :param instances: its task instances that have to do with SOPS.
    """

    dag_id: str
    run_id: str
    instances: tuple[Instance, ...]

    def tasks(self) -> list[RunTask]:
        """Return its SOPS tasks, in the order in which Airflow's tasks began."""
        found: dict[tuple[Site, int], RunTask] = {}
        own = self._digests()
        for instance in self.instances:
            site, sops_task_id = instance.site, instance.sops_task_id
            if site is None or sops_task_id is None or instance.operator == MIRROR:
                continue
            task = found.get((site, sops_task_id)) or RunTask(site, sops_task_id, instance, digests=own)
            url = task.url or web_address(read_text(instance.pushed.get(TASK_URL_XCOM_KEY)))
            digests = frozenset[str]() if instance.given_id else task.digests
            found[site, sops_task_id] = replace(task, url=url, digests=digests)
        return list(found.values())

    def task_of(self, task_id: str, map_index: int) -> RunTask | None:
        """Return the SOPS task of a task instance; ``None`` if it has none yet, or has nothing to do with SOPS."""
        instance = self.instance(task_id, map_index)
        if instance is None:
            return None
        owner = self._start_of(instance) if instance.operator == MIRROR else instance
        if owner is None or owner.site is None:
            return None
        wanted = (owner.site, owner.sops_task_id)
        task = next((each for each in self.tasks() if (each.site, each.sops_task_id) == wanted), None)
        return task and replace(task, asked=instance, group=owner.group)

    def instance(self, task_id: str, map_index: int) -> Instance | None:
        """Return a task instance that has to do with SOPS."""
        wanted = (task_id, map_index)
        return next((each for each in self.instances if (each.task_id, each.map_index) == wanted), None)

    def indexes_of(self, task_id: str) -> list[int]:
        """Return the map indexes of a task's instances."""
        return sorted(each.map_index for each in self.instances if each.task_id == task_id)

    def start_group(self, task_id: str, map_index: int, start: str) -> Instance | None:
        """Return the first task of the generated flow around a task.

        :param start: the operator of such first tasks.
        """
        around = [
            each
            for each in self.instances
            if each.operator == start and each.map_index == map_index and task_id.startswith(each.group)
        ]
        return max(around, key=lambda each: len(each.group), default=None)

    def _start_of(self, mirror: Instance) -> Instance | None:
        return self.start_group(mirror.task_id, mirror.map_index, WATCH_START)

    def _digests(self) -> frozenset[str]:
        return frozenset(
            TaskKey.of(
                dag_id=self.dag_id, run_id=self.run_id, task_id=each.task_id, map_index=each.map_index, max_tries=0
            ).digest
            for each in self.instances
        )


def read_run(session: Session, dag_id: str, run_id: str) -> Run:
    """Read a run; without task instances if there is no such run, or none that has to do with SOPS."""
    pushed: dict[tuple[str, int], dict[str, Any]] = {}
    xcoms = select(XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key.in_(_XCOM_KEYS)
    )
    for row in session.execute(xcoms):
        pushed.setdefault((row.task_id, row.map_index), {})[row.key] = XComModel.deserialize_value(row)
    fields = RenderedTaskInstanceFields
    same = and_(
        fields.dag_id == TaskInstance.dag_id,
        fields.run_id == TaskInstance.run_id,
        fields.task_id == TaskInstance.task_id,
        fields.map_index == TaskInstance.map_index,
    )
    rows = session.execute(
        select(
            TaskInstance.task_id,
            TaskInstance.map_index,
            TaskInstance.operator,
            TaskInstance.state,
            TaskInstance.start_date,
            fields.rendered_fields,
        )
        .outerjoin(fields, same)
        .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    )
    instances = [_instance(row, pushed.get((row.task_id, row.map_index), {})) for row in rows]
    kept = [each for each in instances if each.site or each.pushed or each.operator in (MIRROR, NATIVE_START)]
    return Run(dag_id, run_id, tuple(sorted(kept, key=_order)))


@dataclass(frozen=True, slots=True)
class TaskState:
    """How a task of Airflow stands.

    :param state: Airflow's word; empty before it has one.
    :param began: when its last try began; ``None`` before.
    :param ended: when that ended.
    :param seconds: how long that took.
    """

    state: str = ""
    began: str | None = None
    ended: str | None = None
    seconds: int | None = None


def read_states(session: Session, dag_id: str, run_id: str, map_index: int) -> dict[str, TaskState]:
    """Return how the tasks of a run stand that have a map index, by task id."""
    rows = session.execute(
        select(
            TaskInstance.task_id,
            TaskInstance.state,
            TaskInstance.start_date,
            TaskInstance.end_date,
            TaskInstance.duration,
        ).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.map_index == map_index)
    )
    return {
        row.task_id: TaskState(
            state=_word(row.state),
            began=row.start_date.isoformat() if row.start_date else None,
            ended=row.end_date.isoformat() if row.end_date else None,
            seconds=int(row.duration) if row.duration is not None else None,
        )
        for row in rows
    }


def _word(state: Any) -> str:
    return str(getattr(state, "value", state) or "")


def _instance(row: Any, pushed: Mapping[str, Any]) -> Instance:
    return Instance(
        task_id=row.task_id,
        map_index=row.map_index,
        operator=read_text(row.operator),
        state=_word(row.state),
        began=row.start_date.isoformat() if row.start_date else "",
        fields=read_mapping(row.rendered_fields),
        pushed=pushed,
    )


def _order(instance: Instance) -> tuple[bool, str, bool, str, int]:
    # The first task of a flow before the others of its SOPS task.
    return not instance.began, instance.began, instance.operator != WATCH_START, instance.task_id, instance.map_index

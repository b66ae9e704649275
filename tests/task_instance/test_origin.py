from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_sops.dag_generator import SopsDag
from airflow_provider_sops.dag_generator.converters import ConverterRegistry
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.notifications.sops import SopsTaskNotifier
from airflow_provider_sops.operators.sops import SopsCreateTaskOperator, SopsRunTaskOperator
from airflow_provider_sops.task_instance.origin import airflow_origin, command_origin, notification_origin, origin_in
from tests.dag_run import run_dag

if TYPE_CHECKING:
    from airflow_provider_sops.sops.models import CreatedTask
    from demo.local_sops import LocalSops


def context(**differing: Any) -> Any:
    known = {"dag_id": "deploy", "run_id": "manual__1", "task_id": "web", "map_index": -1, "try_number": 2}
    return {"ti": SimpleNamespace(**{**known, "log_url": "https://airflow.example.com/dags/deploy", **differing})}


def test_it_names_dag_run_task_and_try_and_links_to_them() -> None:
    assert origin_in(context()) == (
        "Created by Airflow: DAG deploy, run manual__1, task web, try 2. https://airflow.example.com/dags/deploy"
    )


def test_a_mapped_task_has_its_index() -> None:
    assert ", task web, map index 0, try 2" in origin_in(context(map_index=0))


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:8080/dags/deploy",
        "http://127.0.0.1:8080/dags/deploy",
        "/dags/deploy",
        "https://user:secret@airflow.example.com/dags/deploy",
        "javascript:alert(1)",
        None,
    ],
)
def test_an_address_that_nobody_can_open_or_that_has_a_password_is_left_out(address: str | None) -> None:
    assert origin_in(context(log_url=address)).endswith(", task web, try 2")


def test_odd_characters_cannot_act_where_it_is_shown() -> None:
    text = origin_in(context(run_id="a\nb\x1b[2J\u202e" + "\U0001f600" * 200))

    assert text.isprintable()
    assert max(text) <= "\uffff"
    assert len(text) < 400


def test_a_notification_names_what_it_is_about_and_links_to_its_task() -> None:
    assert notification_origin("DAG deploy, run manual__1") == (
        "Created by Airflow, to notify about: DAG deploy, run manual__1"
    )
    assert notification_origin("DAG deploy, run manual__1, task web", context()["ti"]) == (
        "Created by Airflow, to notify about: DAG deploy, run manual__1, task web. "
        "https://airflow.example.com/dags/deploy"
    )


def test_a_command_names_its_host() -> None:
    assert command_origin("bastion-1\n\U0001f600") == "Created by airflow-sops on bastion-1\\u000a?"


def test_outside_of_a_task_there_is_none() -> None:
    assert airflow_origin() is None


@pytest.fixture
def descriptions(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The descriptions of the SOPS tasks that are created."""
    create, seen = SopsHook.create_task, []

    def remember(hook: SopsHook, *arguments: Any, **keywords: Any) -> CreatedTask:
        seen.append(keywords.get("description"))
        return create(hook, *arguments, **keywords)

    monkeypatch.setattr(SopsHook, "create_task", remember)
    return seen


@pytest.mark.integration
@pytest.mark.usefixtures("airflow_db", "sops_default")
def test_operators_describe_the_tasks_that_they_create(
    templates: dict[str, int], descriptions: list[str | None]
) -> None:
    with DAG("origin", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        create = SopsCreateTaskOperator(task_id="create", template_id=templates["quick"])
        create >> SopsRunTaskOperator(task_id="run", template_id=templates["quick"], poll_interval_seconds=0.2)

    run = run_dag(dag)

    assert run.state == "success"
    assert descriptions == [
        f"Created by Airflow: DAG origin, run {run.dag_run.run_id}, task {task}, try 1" for task in ("create", "run")
    ]


@pytest.mark.integration
@pytest.mark.parametrize("mode", ["watch", "native"])
@pytest.mark.usefixtures("airflow_db")
def test_so_do_the_tasks_of_a_flow(
    mode: Any, sops_default: LocalSops, hook: SopsHook, templates: dict[str, int], descriptions: list[str | None]
) -> None:
    dag = SopsDag(
        f"origin_{mode}",
        pipeline=hook.get_template_info(templates["quick"]).raw,
        template_id=templates["quick"],
        mode=mode,
        converters=ConverterRegistry() if mode == "native" else None,
        poll_interval_seconds=0.2,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    )

    assert run_dag(dag).state == "success"
    assert descriptions
    assert all(each and each.startswith(f"Created by Airflow: DAG origin_{mode}, run ") for each in descriptions)


class Fails(BaseOperator):
    """A task that fails."""

    def execute(self, context: Any) -> None:
        """Fail."""
        raise ValueError("the disk is full")


@pytest.mark.integration
@pytest.mark.usefixtures("airflow_db", "sops_default")
def test_so_does_a_notifier(templates: dict[str, int], descriptions: list[str | None]) -> None:
    with DAG("origin_notifier", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
        Fails(task_id="load", on_failure_callback=SopsTaskNotifier(template_id=templates["notify"]))

    run = run_dag(dag)

    assert descriptions == [
        f"Created by Airflow, to notify about: DAG origin_notifier, run {run.dag_run.run_id}, task load, try 1"
    ]

"""A platform with several tenants: an app without a user's token runs flows there, and is told what is missing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.wait_result import WaitPolicy
from airflow_provider_sops.triggers.sops import SopsTaskTrigger
from tests.aged_sops import run_local_sops
from tests.plain_task_instance import PlainTaskInstance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

pytestmark = pytest.mark.integration

TENANT = {"identity": "app", "tenant_id": "default"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSops]:
    options = ("--server", "3.35", "--multi-tenant", "--user-token", "t0ken=amy")
    with run_local_sops(tmp_path_factory.mktemp("platform"), *options) as sops:
        yield sops


@pytest.fixture
def connect(platform: LocalSops, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make ``sops_default`` the connection to the platform with these extra fields, and return a hook on it."""

    def make(**extra: str) -> SopsHook:
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", platform.connection_json(**extra))
        return SopsHook()

    return make


async def end_of(trigger: SopsTaskTrigger) -> Any:
    event = await anext(aiter(trigger.run()))
    return event.payload["outcome"]


def test_an_app_runs_a_flow_and_waits_for_it(connect: Any) -> None:
    hook = connect(**TENANT)
    (template_id,) = (item.id for item in hook.get_template_list() if item.name == "linear")
    ti = PlainTaskInstance()
    operator = SopsRunTaskOperator(
        task_id="run",
        template_id=template_id,
        name="by an app",
        constants={"${seconds}": "1"},
        deferrable=False,
        poll_interval_seconds=0.2,
    )

    outputs = operator.execute(ti.context)

    assert outputs is not None
    assert outputs["who"]
    trigger = SopsTaskTrigger(
        sops_conn_id="sops_default",
        sops_task_id=ti.xcoms["sops_task_id"],
        policy=WaitPolicy(poll_interval_seconds=0.2),
    )
    assert asyncio.run(end_of(trigger)) == "finished"


def test_a_user_with_a_token_needs_no_app_resource(connect: Any) -> None:
    assert connect(access_token="t0ken", bk_username="", tenant_id="default").test_connection()[0]


@pytest.mark.parametrize(
    ("extra", "wanted"),
    [({"identity": "app"}, "tenant_id"), ({"tenant_id": "default"}, "identity")],
    ids=["no tenant", "an unverified user"],
)
def test_the_test_of_the_connection_names_the_field_to_fill(connect: Any, extra: dict[str, str], wanted: str) -> None:
    works, message = connect(**extra).test_connection()

    assert not works
    assert wanted in message


def test_nothing_of_another_tenant_is_found(connect: Any) -> None:
    with pytest.raises(SopsError) as refusal:
        connect(identity="app", tenant_id="other").get_template_list()
    assert refusal.value.code == 3540400

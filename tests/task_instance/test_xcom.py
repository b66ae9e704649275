"""What tasks hand to each other, under keys that DAGs of users read too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_sops
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.task_instance import xcom
from tests.plain_task_instance import PlainTaskInstance

PACKAGE = Path(airflow_provider_sops.__file__).parent

KEYS = {
    "CLAIM_URL_XCOM_KEY": "sops_claim_url",
    "CONSTANTS_XCOM_KEY": "sops_constants",
    "DECISION_XCOM_KEY": "skipmixin_key",
    "EXCLUDED_XCOM_KEY": "sops_excluded",
    "FLOW_INSTANCE_ID_XCOM_KEY": "enos_flow_instance_id",
    "INDEPENDENT_XCOM_KEY": "sops_independent_subprocesses",
    "INSTANCE_STATUS_XCOM_KEY": "enos_status",
    "NODES_XCOM_KEY": "sops_nodes",
    "NODE_PATHS_XCOM_KEY": "sops_node_paths",
    "NODE_XCOM_KEY": "sops_node",
    "RETURN_XCOM_KEY": "return_value",
    "TASK_ID_XCOM_KEY": "sops_task_id",
    "TASK_STATE_XCOM_KEY": "sops_task_state",
    "TASK_URL_XCOM_KEY": "sops_task_url",
    "VARIABLES_XCOM_KEY": "sops_variables",
}


def test_keys_keep_their_values_since_dags_pull_by_them() -> None:
    assert {name: value for name, value in vars(xcom).items() if name.endswith("_XCOM_KEY")} == KEYS


def test_no_other_module_defines_a_key() -> None:
    modules = [path for path in PACKAGE.rglob("*.py") if path != Path(xcom.__file__)]
    elsewhere = [str(path) for path in modules if re.search(r"^\w+XCOM_KEY(: \w+)? = ", path.read_text(), re.MULTILINE)]
    assert not elsewhere


def test_a_task_is_known_by_id_and_address() -> None:
    ti = PlainTaskInstance()
    xcom.push_task(ti.context, 7, "https://sops/7")
    assert ti.xcoms == {"sops_task_id": 7, "sops_task_url": "https://sops/7"}


def test_an_address_that_sops_does_not_give_is_not_pushed() -> None:
    ti = PlainTaskInstance()
    xcom.push_task(ti.context, 7, "")
    assert ti.xcoms == {"sops_task_id": 7}


def test_a_process_with_many_tasks_remembers_the_latest_addresses_alone() -> None:
    first, repeated, *others = (PlainTaskInstance() for _ in range(100))
    for ti in (first, repeated, *others[:-1], repeated, others[-1]):
        xcom.push_task(ti.context, 7, "https://sops/7", "https://claim/7")
    addresses = {"sops_task_url": "https://sops/7", "sops_claim_url": "https://claim/7"}
    assert xcom.pushed_here(first) is None
    assert [xcom.pushed_here(ti) for ti in (repeated, others[-1])] == [addresses, addresses]


@pytest.mark.parametrize("value", [7, "7", " 7 "])
def test_a_task_id_is_a_number_or_its_text(value: Any) -> None:
    assert xcom.read_task_id(value) == 7


@pytest.mark.parametrize("value", [None, "", "None", 0, -1, "seven"])
def test_what_is_not_a_task_id_is_refused(value: Any) -> None:
    with pytest.raises(SopsInvalidParameterError, match="sops_task_id is"):
        xcom.read_task_id(value)

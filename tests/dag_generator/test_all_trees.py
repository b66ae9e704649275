"""Every tree becomes, in both modes, a DAG that Airflow stores, that is the same again and whose params are valid.

``SOPS_TREES`` names a folder with trees of your own to try as well, such as answers of get_template_info.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_sops.dag_generator import SopsDag
from tests.dag_generator.hashes_of_flows import serialised
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant

if TYPE_CHECKING:
    from airflow_provider_sops.dag_generator.options import Mode
    from tests.pipeline_trees.blocks import Flow

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for folder in ("local_sops/local_sops/templates", "example_dags", "demo", os.environ.get("SOPS_TREES"))
    if folder
    for path in (ROOT / folder).rglob("*.json")
    if "start_event" in path.read_text(encoding="utf-8")
)

CHOICES = json.dumps([{"text": "Small", "value": "s"}, {"text": "Large", "value": "l"}])
#: Constants as templates of real projects have them.
CONSTANTS = [
    constant("${c}", "10.0.0.1\n10.0.0.2", custom_type="textarea", validation=r"^[\d.\s]+$"),
    constant("${c}", 8080, validation=r"^\d+$"),
    constant("${c}", True),
    constant("${c}", "7", custom_type="int"),
    constant("${c}", "", custom_type="datetime"),
    constant("${c}", "2026-01-01 00:00:00", custom_type="datetime"),
    constant(
        "${c}",
        {"datasource": "0", "items_text": CHOICES, "type": "0", "default": "x"},
        custom_type="select",
        is_meta=True,
    ),
    constant(
        "${c}",
        {"datasource": "0", "items_text": CHOICES, "type": "1", "default": "s,x"},
        custom_type="select",
        is_meta=True,
    ),
    constant(
        "${c}",
        {"datasource": "1", "items_text": "http://choices", "type": "0", "default": ""},
        custom_type="select",
        is_meta=True,
    ),
    constant("${c}", "l", custom_type="text_value_select", meta={"value": {"items_text": CHOICES}}),
    constant(
        "${c}",
        {"columns_text": '[{"tag_code": "ip"}]', "default_text": '[{"ip": "1"}]'},
        custom_type="datatable",
        is_meta=True,
    ),
    constant("${c}", {"selectors": ["ip"], "ip": [], "topo": [], "filters": []}, custom_type="ip_selector"),
    constant("${c}", {"bk_set_id": 1, "bk_module_id": [2, 3]}, custom_type="set_module_selector"),
    constant("${c}", "", custom_type="ip"),
    constant("${c}", {"format": "%Y"}, custom_type="format_support_current_time"),
    constant("${c}", None, custom_type="current_time"),
    constant("${c}", ["admin"], custom_type="bk_user_selector"),
]


def holds(copied: Any, original: Any) -> bool:
    """Whether a stored copy says all that the stored original says.

    Airflow 2 leaves defaults out only where they are the very same objects, so that a copy says more.
    """
    if isinstance(original, dict):
        return isinstance(copied, dict) and all(
            key in copied and holds(copied[key], value) for key, value in original.items()
        )
    if isinstance(original, list):
        return isinstance(copied, list) and len(copied) == len(original) and all(map(holds, copied, original))
    return bool(copied == original)


def check(tree: Any, mode: Mode) -> None:
    first, second = (
        SopsDag(
            "flow",
            pipeline=json.loads(json.dumps(tree)),
            mode=mode,
            template_id=1,
            schedule=None,
            start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        )
        for _ in range(2)
    )
    first.params.validate()  # type: ignore[no-untyped-call,unused-ignore]
    stored = serialised(first)
    assert stored == serialised(second)
    for copied in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert holds(json.loads(serialised(copied)), json.loads(stored))


@pytest.mark.parametrize("mode", ["watch", "native"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_template(path: Path, mode: Mode) -> None:
    check(json.loads(path.read_text(encoding="utf-8")), mode)


@pytest.mark.integration
@pytest.mark.timeout(900)
def test_every_process_builds_the_same_dags() -> None:
    """Each process orders sets in its own way; a DAG that changes with that would get new versions for ever."""

    def hashes(seed: int) -> str:
        program = [sys.executable, "-m", "tests.dag_generator.hashes_of_flows", *map(str, FILES)]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(program, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.splitlines()[-1]

    with ThreadPoolExecutor(os.cpu_count()) as processes:
        first, *others = processes.map(hashes, range(20))
    assert len(json.loads(first)) == 2 * len(FILES)
    assert set(others) == {first}


@pytest.mark.parametrize("mode", ["watch", "native"])
@settings(max_examples=30)
@given(flow=flows(depth=2), drawn=st.lists(st.sampled_from(CONSTANTS), max_size=6))
def test_any_flow_with_constants_of_any_kind(mode: Mode, flow: Flow, drawn: list[Any]) -> None:
    tree = web_tree(flow)
    for number, each in enumerate(drawn):
        key = f"${{form_{number}}}"
        tree["constants"][key] = {**each, "key": key, "name": key, "index": number}
    check(tree, mode)

"""A flow that FINISHED gives its outputs, whatever they hold: in the nearest form that can be kept, and says so."""

from __future__ import annotations

import json
import logging
import math
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.hooks.enos import EnosHook
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.task_instance.instance_follower import instance_xcom
from airflow_provider_sops.task_instance.outputs import read_outputs
from tests.hostile.repertoire import ODD_VALUES
from tests.hostile.server import answer, by_call

if TYPE_CHECKING:
    from tests.hostile.server import HostileServer

_TOKEN = answer(b'{"status":0,"data":{"accessToken":"t0ken","expire":7200}}')
_RESERVED = {"__classname__", "__id__"}


def finished_with(outputs: str) -> bytes:
    detail = (
        '{"id":7,"name":"flow","finish_time":"2026-11-20 18:34:08 +0800","constants":{},"pipeline_tree":{},'
        f'"outputs":[{{"key":"${{plain}}","value":1}},{{"key":"${{odd}}","value":{outputs}}}]}}'
    )
    return f'{{"result":true,"code":0,"data":{detail}}}'.encode()


def assert_can_be_kept(value: Any) -> None:
    """Fail for what SQLite, PostgreSQL, msgpack or Airflow's own serialisation refuses."""
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    try:
        from airflow.sdk.serde import deserialize, serialize
    except ImportError:
        from airflow.serialization.serde import deserialize, serialize  # type: ignore[no-redef,import-not-found,unused-ignore]

    assert deserialize(json.loads(json.dumps(serialize(value)))) == value
    waiting, depth = [value], 0
    while waiting:
        depth += 1
        for each in waiting:
            assert type(each) in (dict, list, str, int, float, bool, type(None))
            assert not isinstance(each, str) or "\0" not in each
            assert not isinstance(each, float) or math.isfinite(each)
            assert isinstance(each, bool) or not isinstance(each, int) or -(2**63) <= each < 2**64
            assert not isinstance(each, dict) or not _RESERVED & each.keys()
            assert not isinstance(each, dict) or all(type(key) is str for key in each)
        waiting = [
            inner
            for each in waiting
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    assert depth <= 110


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda name: f"output {name}")
def test_an_output_is_kept_as_near_as_can_be_and_named(
    server: HostileServer, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.behave = answer(finished_with(ODD_VALUES[value]))

    with SopsHook() as hook, caplog.at_level(logging.WARNING):
        outputs = read_outputs(hook, 7)

    assert set(outputs) == {"plain", "odd"}
    assert outputs["plain"] == 1
    assert_can_be_kept(outputs)
    assert "odd" in caplog.text
    assert "plain" not in caplog.text


def test_nothing_is_said_of_outputs_that_are_kept_as_they_are(
    server: HostileServer, caplog: pytest.LogCaptureFixture
) -> None:
    plain = {"text": "发布 😀", "number": 2**63 - 1, "list": [1.5, None, True, {"__type": "x", "__version__": 1}]}
    server.behave = answer(finished_with(json.dumps(plain)))

    with SopsHook() as hook, caplog.at_level(logging.WARNING):
        outputs = read_outputs(hook, 7)

    assert outputs["odd"] == plain
    assert "odd" not in caplog.text


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda name: f"EnOS parameter {name}")
def test_so_it_is_with_an_instance_of_enos(server: HostileServer, value: str, caplog: pytest.LogCaptureFixture) -> None:
    data = (
        f'{{"instanceId":"7-1","flowId":7,"status":1,"x":{ODD_VALUES[value]},"parameters":{{"p":{ODD_VALUES[value]}}}}}'
    )
    server.behave = by_call({"v2.0": _TOKEN}, answer(f'{{"code":0,"data":{data}}}'.encode()))

    with EnosHook() as hook, caplog.at_level(logging.WARNING):
        assert_can_be_kept(instance_xcom(hook.get_flow_instance("7-1")))
    assert '"parameters", "x"' in caplog.text

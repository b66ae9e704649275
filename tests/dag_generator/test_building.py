"""What the builders of both modes share."""

from __future__ import annotations

import gc
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_sops.dag_generator import ConverterRegistry, NodeConverter, SopsDag, SopsTaskGroup
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.flow_trees import tree


@pytest.fixture
def collecting() -> Any:
    """The garbage collector as it was, after the test too."""
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was_enabled else gc.disable)()


@pytest.mark.usefixtures("collecting")
class TestGarbageCollection:
    def test_it_rests_while_a_flow_is_built_and_goes_on_afterwards(self) -> None:
        seen: list[bool] = []
        converters = ConverterRegistry()
        converters.add("sleep_timer", "*", NodeConverter(lambda _: seen.append(gc.isenabled()), None))
        arguments: Any = {"pipeline": tree("s > a > e"), "template_id": 7, "mode": "native", "converters": converters}
        SopsDag("flow", schedule=None, **arguments)
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
            SopsTaskGroup("deploy", **arguments)

        assert seen == [False, False]
        assert gc.isenabled()

    def test_it_goes_on_after_a_refusal_too(self) -> None:
        with pytest.raises(SopsInvalidParameterError, match="template_id is missing"):
            SopsDag("flow", pipeline=tree("s > a > e"), schedule=None)

        assert gc.isenabled()

    def test_where_it_rested_before_it_rests_on(self) -> None:
        gc.disable()
        SopsDag("flow", pipeline=tree("s > a > e"), template_id=7, schedule=None)

        assert not gc.isenabled()

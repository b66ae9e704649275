"""The configuration on the page about flows as DAGs is one that Airflow takes."""

from __future__ import annotations

import configparser
import inspect

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.docs.pages import ROOT, CodeBlock, Page

PAGE = Page(ROOT / "docs/flows-as-dags.md")
CONFIGURATIONS = [block for block in PAGE.code_blocks if block.language == "ini"]

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 has no bundles")


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_airflow_makes_the_bundles_of_the_page(block: CodeBlock, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    from airflow_provider_sops.bundles.sops import SopsFlowBundle

    configuration = configparser.ConfigParser()
    configuration.read_string(block.text)
    bundles = configuration["dag_processor"]["dag_bundle_config_list"]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundles)

    made = DagBundlesManager().get_bundle("night")  # type: ignore[no-untyped-call]

    assert isinstance(made, SopsFlowBundle)


def test_the_page_has_every_argument() -> None:
    from airflow_provider_sops.bundles import options, sops

    arguments = set(inspect.signature(sops.SopsFlowBundle).parameters) - {"name", "base_args"}
    expected = {*arguments, *options.FLOW_ARGS, *options.DAG_ARGS, "refresh_interval"}

    assert expected <= set(PAGE.code_spans)

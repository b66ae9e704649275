"""What a site configures, and what it is told when that is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager

from airflow_provider_sops.bundles.sops import SopsFlowBundle
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_airflow_makes_a_bundle_of_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    kwargs = {"category": "OpsTools", "mode": "native", "refresh_interval": 60, "dag_args": {"tags": ["sops"]}}
    configured = {"name": "ops", "classpath": "airflow_provider_sops.bundles.sops.SopsFlowBundle", "kwargs": kwargs}
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([configured]))

    bundle = DagBundlesManager().get_bundle("ops")  # type: ignore[no-untyped-call]

    assert isinstance(bundle, SopsFlowBundle)
    assert (bundle.name, bundle.refresh_interval, bundle.supports_versioning) == ("ops", 60, True)


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"category": ""}, "template_name or category is missing"),
        ({"categry": "x"}, "SopsFlowBundle takes no categry. Correct its kwargs in [dag_processor]"),
        ({"name": "nightly flows"}, '"nightly flows": its name may have letters'),
        ({"name": "n" * 126}, "its name may have"),
        ({"mode": "observe"}, "mode is 'observe'; it must be one of watch, native"),
        ({"scope": "business"}, "scope is 'business'; it must be one of cmdb_biz, project"),
        ({"template_source": "public"}, "template_source is 'public'; it must be one of business, common"),
        ({"sops_conn_id": 7}, "sops_conn_id is 7"),
        ({"category": ["a"]}, "category is ['a']; it must be a text"),
        ({"dag_args": ["a"]}, "dag_args must be an object, not list"),
        ({"dag_args": {"schedule": "@daily"}}, 'dag_args has "schedule". It may have access_control, constants'),
        ({"dag_args": {"tags": "sops"}}, "dag_args: tags must be a list of texts"),
        ({"dag_args": {"pace": "fast"}}, "dag_args: pace is 'fast'"),
        ({"dag_args": {"pace": "free"}, "mode": "native"}, "dag_args: pace is for"),
        ({"dag_args": {"constants": ["a"]}}, "dag_args: constants must be a dict"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_name_of_the_bundle(
    bundle: Callable[..., Any], kwargs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SopsInvalidParameterError) as caught:
        bundle(**kwargs)

    assert reason in str(caught.value)
    assert str(caught.value).startswith('DAG bundle "n')

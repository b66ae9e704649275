from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from airflow_provider_sops.operators.sops import SopsRunTaskOperator
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS

ROOT = Path(__file__).resolve().parents[2]
FLOW = json.loads((ROOT / "local_sops/examples/templates/release.json").read_text())


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="the demo runs the newest Airflow, which has Required Actions")
def test_the_walk_through_runs_the_example_of_local_sops_and_joins_it_when_it_is_cleared() -> None:
    release = runpy.run_path(str(ROOT / "demo/dags/walk_through.py"))["release"]

    assert isinstance(release, SopsRunTaskOperator)
    assert release.template_id == FLOW["id"]
    assert set(release.constants) <= set(FLOW["pipeline_tree"]["constants"])
    assert (release.on_clear, release.retries, release.approvals) == ("resume", 0, "airflow")

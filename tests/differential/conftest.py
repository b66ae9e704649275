"""A local_sops with the plugin that the drawn flows use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.conftest import ROOT
from tests.differential.plain_sops import PlainSops
from tests.differential.probing_sops import run_probing_sops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

# The workers of Airflow 2 take some seconds to begin each task: too long for whole flows.
collect_ignore = [] if AIRFLOW_V_3_0_PLUS else ["test_real_airflow.py"]


@pytest.fixture(scope="package")
def probing_sops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSops]:
    """A local_sops of these tests' own."""
    command = os.environ.get("LOCAL_SOPS_COMMAND", str(ROOT / ".venvs/local-sops/bin/local-sops"))
    with run_probing_sops(command, tmp_path_factory.mktemp("probing_sops")) as sops:
        yield sops


@pytest.fixture(scope="package")
def plain_sops(probing_sops: LocalSops) -> Iterator[PlainSops]:
    """A plain session with it."""
    with PlainSops(probing_sops) as sops:
        yield sops

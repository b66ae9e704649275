"""A local_sops with the plugin that the drawn flows use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.differential.plain_sops import PlainSops
from tests.differential.probing_sops import ProbingSops, run_probing_sops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

# The workers of Airflow 2 take some seconds to begin each task: too long for whole flows.
collect_ignore = [] if AIRFLOW_V_3_0_PLUS else ["test_real_airflow.py"]


@pytest.fixture(scope="package")
def probing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbingSops]:
    """A local_sops of these tests' own, and its folder of templates."""
    with run_probing_sops(tmp_path_factory.mktemp("probing_sops")) as probing:
        yield probing


@pytest.fixture(scope="package")
def probing_sops(probing: ProbingSops) -> LocalSops:
    """The same local_sops."""
    return probing.sops


@pytest.fixture(scope="package")
def plain_sops(probing: ProbingSops) -> Iterator[PlainSops]:
    """A plain session with it."""
    with PlainSops(probing.sops, probing.templates) as sops:
        yield sops

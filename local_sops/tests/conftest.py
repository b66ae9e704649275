from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sops_client import SopsClient, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def sops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsClient]:
    """One server for all tests that need no special one."""
    with running_server(tmp_path_factory.mktemp("sops")) as server:
        yield server.client


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """Where a test's own server keeps its database."""
    return tmp_path / "data"

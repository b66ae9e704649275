"""What is in the files that are published."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from airflow_provider_sops import __version__
from tests.docs.pages import Page

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parent.parent
SDIST_ROOT = f"airflow_provider_sops-{__version__}"


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both, the wheel from the sdist, as it happens on release."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="session")
def wheel_files(distributions: Path) -> set[str]:
    (path,) = distributions.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="session")
def sdist_files(distributions: Path) -> set[str]:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        return {name.removeprefix(f"{SDIST_ROOT}/") for name in sdist.getnames()}


@pytest.fixture(scope="session")
def metadata(distributions: Path) -> Message:
    (path,) = distributions.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        return HeaderParser().parsestr(wheel.read(f"{SDIST_ROOT}.dist-info/METADATA").decode())


PINNED = sorted([*(ROOT / "constraints").glob("*.txt"), ROOT / "local_sops/requirements.lock"])


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.name)
def test_every_pinned_version_has_the_hashes_of_its_files_and_no_place_to_get_them_from(path: Path) -> None:
    # Each requirement ends at the first line without a backslash.
    requirements = path.read_text().replace("\\\n", " ").splitlines()

    assert requirements
    assert not [
        line for line in requirements if not re.fullmatch(r"[\w.-]+==\S+(?: +--hash=sha256:[0-9a-f]{64})+", line)
    ]


def package_files() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "airflow_provider_sops").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_the_whole_package_and_nothing_else(wheel_files: set[str]) -> None:
    outside = {name for name in wheel_files if not name.startswith(f"{SDIST_ROOT}.dist-info/")}

    assert outside == package_files()


def test_wheel_is_typed_and_licensed(wheel_files: set[str]) -> None:
    assert {"airflow_provider_sops/py.typed", f"{SDIST_ROOT}.dist-info/licenses/LICENSE"} <= wheel_files


def test_wheel_registers_with_airflow(distributions: Path) -> None:
    (path,) = distributions.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        registered = wheel.read(f"{SDIST_ROOT}.dist-info/entry_points.txt").decode()

    assert "[apache_airflow_provider]" in registered
    assert "airflow_provider_sops.get_provider_info:get_provider_info" in registered


def test_readme_is_a_page_of_a_package_index(metadata: Message, tmp_path: Path) -> None:
    """A package index has none of the files that README.md links to, and none of its pictures."""
    text = str(metadata.get_payload())
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    page = Page(tmp_path / "page.md")

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert not page.links
    assert "pip install airflow-provider-sops" in text
    assert "<this repository>" not in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# airflow-provider-sops",
        "## Try it in two commands",
        "## Use it",
        "## What it does",
        "## Read on",
    ]


def test_sdist_holds_what_a_packager_needs(sdist_files: set[str]) -> None:
    assert package_files() <= sdist_files
    assert {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "SECURITY.md", "pyproject.toml"} <= sdist_files
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "example_dags").glob("*.*")} <= sdist_files
    assert {"tests/conftest.py", "browser/conftest.py", "local_sops/pyproject.toml"} <= sdist_files
    assert "local_sops/local_sops/page/drawing/svg.py" in sdist_files
    assert {"constraints/tools.txt", "docs/pictures/flow-in-airflow.png"} <= sdist_files


def test_sdist_holds_nothing_that_was_set_up_here(sdist_files: set[str]) -> None:
    assert not [name for name in sdist_files if name.startswith((".venvs", ".demo")) or "__pycache__" in name]


def test_runtime_requirements_are_the_documented_six(metadata: Message) -> None:
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]

    assert {item.name for item in requirements if item.marker is None} == {
        "aiohttp",
        "apache-airflow",
        "apache-airflow-providers-common-compat",
        "pendulum",
        "requests",
        "tenacity",
    }
    assert metadata["Requires-Python"] == ">=3.11"


@pytest.mark.parametrize(("airflow", "compat"), [("2.11.2", "1.14.0"), ("3.3.2", "1.19.0")])
def test_common_compat_may_be_as_old_as_airflows_own_constraints_hold_it(
    metadata: Message, airflow: str, compat: str
) -> None:
    """The unit tests run with these versions on Python 3.12."""
    requirements = map(Requirement, metadata.get_all("Requires-Dist", []))
    (wanted,) = [item for item in requirements if item.name == "apache-airflow-providers-common-compat"]
    pins = (ROOT / f"constraints/airflow-{airflow}-py3.12.txt").read_text().split()

    assert wanted.specifier.contains(compat)
    assert f"apache-airflow-providers-common-compat=={compat}" in pins

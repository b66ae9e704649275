"""The documentation site has a page for all that is public; ``make docs`` builds it."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.get_provider_info import get_provider_info
from scripts import build_docs
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CALLS = ROOT / "airflow_provider_sops/sops/calls"
INFO = get_provider_info()
KINDS = ("hooks", "operators", "sensors", "triggers")
MODULES = {
    *(name for kind in KINDS for each in INFO[kind] for name in each["python-modules"]),
    *(name.rpartition(".")[0] for name in (*INFO["extra-links"], *INFO["notifications"])),
}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_public_module_has_a_page_of_the_reference(module: str) -> None:
    assert module in {known for _, known in build_docs.REFERENCE.values()}


def test_every_call_of_sops_has_an_entry_in_the_reference() -> None:
    calls = {f"airflow_provider_sops.sops.calls.{path.stem}" for path in CALLS.glob("[a-z]*.py")}

    # `parameters` has no calls.
    assert calls - {"airflow_provider_sops.sops.calls.parameters"} <= {
        known for _, known in build_docs.REFERENCE.values()
    }


def classes_on(page: str) -> list[type]:
    """Return the classes that a page of the reference describes."""
    _, module = build_docs.REFERENCE[page]
    names = [*(f"{module}.{each}" for each in build_docs.public_names(module)), *build_docs.ALSO.get(page, ())]
    parts = (name.rpartition(".") for name in names)
    found = [getattr(importlib.import_module(path), each) for path, _, each in parts]
    return [each for each in found if inspect.isclass(each)]


@pytest.mark.parametrize("page", ["operators", "sensors", "enos-operators", "enos-sensors"])
def test_every_argument_of_an_operator_is_described_on_its_page(page: str) -> None:
    described = "".join(inspect.getdoc(each) or "" for each in classes_on(page))
    own = {base for each in classes_on(page) for base in each.__mro__ if base.__module__.startswith("airflow_provider")}
    arguments = {name for base in own for name in inspect.signature(base).parameters}

    assert not {name for name in arguments - {"self", "args", "kwargs"} if f":param {name}:" not in described}


@pytest.mark.parametrize("module", [module for _, module in build_docs.REFERENCE.values()])
def test_such_a_page_is_not_empty(module: str) -> None:
    assert build_docs.public_names(module)


def test_every_guide_is_in_the_menu_once() -> None:
    menu = tomllib.loads(build_docs.configuration())["project"]["nav"]
    values = [value for entry in menu for value in entry.values()]
    pages = [page for value in values for page in ([value] if isinstance(value, str) else value)]

    assert len(pages) == len(set(pages))
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(pages)


def test_links_within_the_site_are_followed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide/index.html").write_text('<h2 id="there">x</h2><img src="away.png">')
    (tmp_path / "index.html").write_text(
        '<a href="guide/#there">a</a><a href="guide/#gone">b</a><a href="lost/">c</a><a href="https://example.com">d</a>'
    )
    monkeypatch.setattr(build_docs, "SITE", tmp_path)

    assert sorted(build_docs.dead_links()) == [
        "guide/index.html: away.png",
        "index.html: guide/#gone",
        "index.html: lost/",
    ]

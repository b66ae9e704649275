"""What Airflow learns of the provider before it imports any of it."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from airflow_provider_sops import __version__
from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

INFO = get_provider_info()
CONNECTION_TYPES = INFO["connection-types"]
AIRFLOW_SCHEMAS = [
    path.name
    for path in files("airflow").iterdir()
    # The schema of provider.yaml is the one that knows the form's fields; Airflow 2.11 does not have it.
    if path.name in {"provider_info.schema.json", "provider.yaml.schema.json"}
]


def read_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(files("airflow").joinpath(name).read_text())
    return schema


def named_modules() -> list[str]:
    kinds = ("hooks", "operators", "sensors", "triggers", *(["bundles"] if AIRFLOW_V_3_0_PLUS else []))
    return [name for kind in kinds for item in INFO[kind] for name in item["python-modules"]]


def named_objects() -> list[str]:
    return [*INFO["extra-links"], *INFO["notifications"], *(item["hook-class-name"] for item in CONNECTION_TYPES)]


def declared_passwords(item: dict[str, Any]) -> set[str]:
    return {name for name, field in item["conn-fields"].items() if field["schema"].get("format") == "password"}


@pytest.fixture
def providers_manager() -> ProvidersManager:
    manager: ProvidersManager = ProvidersManager()  # type: ignore[no-untyped-call]
    return manager


def test_airflow_finds_the_provider_through_the_entry_point() -> None:
    (entry_point,) = (
        item
        for item in entry_points(group="apache_airflow_provider")
        if item.module.startswith("airflow_provider_sops.")
    )

    assert entry_point.load()() == INFO


def test_airflow_lists_the_provider_with_its_version(providers_manager: ProvidersManager) -> None:
    assert providers_manager.providers["airflow-provider-sops"].version == __version__


def test_info_passes_airflows_own_schema() -> None:
    jsonschema.validate(INFO, read_schema("provider_info.schema.json"))


@pytest.mark.parametrize("schema_name", AIRFLOW_SCHEMAS)
def test_connection_types_pass_airflows_own_schema(schema_name: str) -> None:
    jsonschema.validate(CONNECTION_TYPES, read_schema(schema_name)["properties"]["connection-types"])


def test_every_integration_named_by_a_part_is_declared() -> None:
    declared = {item["integration-name"] for item in INFO["integrations"]}
    named = {item["integration-name"] for kind in ("hooks", "operators", "sensors", "triggers") for item in INFO[kind]}

    assert named <= declared


@pytest.mark.parametrize("name", named_modules())
def test_every_named_module_exists(name: str) -> None:
    assert importlib.import_module(name).__name__ == name


@pytest.mark.parametrize("name", named_objects())
def test_every_named_object_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")

    assert isinstance(getattr(importlib.import_module(module), attribute), type)


@pytest.mark.parametrize("item", CONNECTION_TYPES, ids=lambda item: item["connection-type"])
def test_fields_that_hold_a_token_are_declared_as_passwords(item: dict[str, Any]) -> None:
    tokens = {name for name in item["conn-fields"] if name.endswith(("token", "secret"))}

    assert declared_passwords(item) == tokens


# Airflow 3.2 and newer draw the form from the declaration, older ones ask the hook class: both must say the same.
@pytest.mark.parametrize("item", CONNECTION_TYPES, ids=lambda item: item["connection-type"])
def test_airflow_shows_the_declared_fields_in_its_connection_form(
    item: dict[str, Any], providers_manager: ProvidersManager
) -> None:
    prefix = f"extra__{item['connection-type']}__"
    shown = {
        name.removeprefix(prefix): widget
        for name, widget in providers_manager.connection_form_widgets.items()
        if name.startswith(prefix)
    }

    assert set(shown) == set(item["conn-fields"])
    assert {name for name, widget in shown.items() if widget.is_sensitive} == declared_passwords(item)


@pytest.mark.parametrize("item", CONNECTION_TYPES, ids=lambda item: item["connection-type"])
def test_airflow_hides_and_renames_the_declared_standard_fields(
    item: dict[str, Any], providers_manager: ProvidersManager
) -> None:
    shown = providers_manager.field_behaviours[item["connection-type"]]
    declared = item["ui-field-behaviour"]

    assert (shown["hidden_fields"], shown["relabeling"]) == (declared["hidden-fields"], declared["relabeling"])

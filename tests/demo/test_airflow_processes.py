from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from demo.airflow_processes import AirflowSettings, PortTakenError, choose_port

SETTINGS = AirflowSettings(
    home=Path("/home"),
    dags_folder=Path("/dags"),
    port=4711,
    connections={"sops_default": '{"conn_type": "sops"}'},
    password="a password",
)


def test_a_taken_port_is_named() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"Port {port} is taken"):
            choose_port(port)


def test_port_zero_becomes_a_free_port() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", choose_port(0)))


def test_connections_reach_airflow_through_the_environment() -> None:
    assert SETTINGS.environment["AIRFLOW_CONN_SOPS_DEFAULT"] == '{"conn_type": "sops"}'


def test_dags_of_several_folders_are_parsed() -> None:
    settings = replace(SETTINGS, more_dags_folders={"more": Path("/more")})
    bundles = json.loads(settings.environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])

    assert {bundle["name"]: bundle["kwargs"]["path"] for bundle in bundles} == {"dags-folder": "/dags", "more": "/more"}


def test_users_have_their_roles() -> None:
    settings = replace(SETTINGS, more_users={"looker": "viewer"})

    assert settings.environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,looker:viewer"


def test_every_program_gets_the_same_secrets() -> None:
    assert SETTINGS.environment == SETTINGS.environment


@pytest.mark.parametrize("secret", [SETTINGS.password, SETTINGS.jwt_secret, SETTINGS.session_secret])
def test_no_secret_shows_in_the_settings_text(secret: str) -> None:
    assert secret not in repr(SETTINGS)

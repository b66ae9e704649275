"""Addresses of assets, as Airflow has them normalised."""

from __future__ import annotations

import importlib
from urllib.parse import urlsplit, urlunsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_sops.get_provider_info import get_provider_info
from airflow_provider_sops.sops.asset_uri import normalize_uri


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("sops://bk-sops.example.com/2/nightly", "sops://bk-sops.example.com/2/nightly"),
        ("SOPS://BK-Sops.Example.com/002/nightly/", "sops://bk-sops.example.com/2/nightly"),
        ("sops://bk-sops.example.com:8443/2/template/7", "sops://bk-sops.example.com:8443/2/template/7"),
        ("sops://[2001:DB8::1]:80/2/nightly", "sops://[2001:db8::1]:80/2/nightly"),
        ("sops://bk-sops.example.com/common/Nightly", "sops://bk-sops.example.com/common/Nightly"),
        ("sops://bk-sops.example.com/2/nightly#part", "sops://bk-sops.example.com/2/nightly"),
    ],
)
def test_airflow_gives_an_asset_its_one_form(given: str, normal: str) -> None:
    assert Asset(given).uri == normal
    assert urlunsplit(normalize_uri(urlsplit(normal))) == normal


@pytest.mark.parametrize(
    "uri",
    [
        "sops:///2/nightly",
        "sops:/2/nightly",
        "sops://bk-sops.example.com",
        "sops://bk-sops.example.com/",
        "sops://bk-sops.example.com/2",
        "sops://bk-sops.example.com/2/",
        "sops://bk-sops.example.com/2//nightly",
        "sops://bk-sops.example.com/blueking/nightly",
        "sops://bk-sops.example.com/0/nightly",
        "sops://bk-sops.example.com/-2/nightly",
        "sops://bk-sops.example.com/٢/nightly",
        "sops://bk-sops.example.com:port/2/nightly",
        "sops://admin@bk-sops.example.com/2/nightly",
        "sops://bk-sops.example.com/2/nightly?scope=project",
    ],
)
def test_anything_else_is_refused_with_the_form_it_must_have(uri: str) -> None:
    with pytest.raises(ValueError, match="sops://HOST/BUSINESS/NAME"):
        normalize_uri(urlsplit(uri))


def test_the_parts_that_airflow_is_told_of_exist() -> None:
    info = get_provider_info()
    (assets,) = info["asset-uris"]

    assert info["dataset-uris"] == [assets]
    for key in ("handler", "to_openlineage_converter"):
        module, _, name = assets[key].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))

"""Names that a package imports on first use."""

from __future__ import annotations

import json

import pytest

from airflow_provider_sops.service.lazy_names import lazy_names


def test_a_name_is_that_of_its_module() -> None:
    assert lazy_names("package", {"loads": "json"})("loads") is json.loads


def test_any_other_name_is_refused_as_by_a_module() -> None:
    with pytest.raises(AttributeError, match="module 'package' has no attribute 'dumps'"):
        lazy_names("package", {"loads": "json"})("dumps")

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.service.errors import code_number


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (3540400, 3540400),
        ("50000", 50000),
        ("E50", None),
        ("", None),
        ("٣", None),
        (None, None),
        (True, None),
    ],
)
def test_codes_are_numbers_or_texts_of_numbers(code: Any, number: int | None) -> None:
    assert code_number(code) == number

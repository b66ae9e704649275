"""Hiding secrets in texts and JSON values, in whatever way they are escaped there."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_sops.service.secrets import Secrets, secret_texts

if TYPE_CHECKING:
    from collections.abc import Callable

SECRETS = ["hunter2", "a b/c&d=é'\"<x>\\n\\", "p😀w\nand another line", "日本語", "x+y %z", "back\\slash"]
ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": quote,
    "whole URL": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "URL in URL": lambda text: quote(quote(text, safe=""), safe=""),
    "lower case URL": lambda text: quote(text, safe="").replace("%C3", "%c3").replace("%2F", "%2f"),
    "HTML": html.escape,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "Python": lambda text: repr(text)[1:-1],
    "Python in ASCII": lambda text: ascii(text)[1:-1],
    "Python in HTML": lambda text: html.escape(repr([text, "'"])[2:-7]),
    "Python in JSON": lambda text: json.dumps(repr(text))[2:-2],
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_hidden_within_a_longer_text_however_it_is_escaped(secret: str, echo: Callable[[str], str]) -> None:
    assert Secrets([secret]).hide(f"login bob:{echo(secret)}@host") == "login bob:***@host"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "b", "bo", "bob:", '{"bk_app_secret": "'])
@pytest.mark.parametrize("secret", ["hunter2", "hünter~ÿ?2>", "a" * 200])
def test_a_secret_is_hidden_in_base64_wherever_it_begins(
    secret: str, before: str, encode: Callable[[bytes], bytes]
) -> None:
    sent = encode(f"{before}{secret} and more".encode()).decode()
    for echo in (sent, quote(sent, safe=""), json.dumps(sent)):
        shown = Secrets([secret]).hide_in(f"Basic {echo} was refused")
        assert "***" in shown
        left = re.sub(r"[^0-9A-Za-z+/]", "", shown.partition("***")[0].removeprefix("Basic ")[:-1])
        assert all(part not in shown for part in (secret, sent[len(left) + 2 : len(left) + 8]))
    assert Secrets([secret]).hide_in("Basic dGVzdDp0ZXN0") == "Basic dGVzdDp0ZXN0"


def test_a_secret_is_hidden_in_values_and_keys_of_all_types() -> None:
    value = {"hunter2": [{"deep": "x hunter2 y"}, None, True, 12, 4711], "other": ("hunter2",)}
    assert Secrets(["hunter2", 4711]).hide(value) == {
        "***": [{"deep": "x *** y"}, None, True, 12, "***"],
        "other": ["***"],
    }


def test_a_longer_secret_goes_first() -> None:
    assert Secrets(["hunter", "hunter2"]).hide("hunter2, hunter") == "***, ***"


@pytest.mark.parametrize("short", ["a", "ab"])
def test_a_short_secret_is_hidden_only_where_it_is_a_whole_value(short: str) -> None:
    assert Secrets([short]).hide([short, "abacus"]) == ["***", "abacus"]


def test_the_lines_of_a_secret_are_secrets_too() -> None:
    key = "-----BEGIN KEY-----\n  MIIEvQIBADANBg\n}\n-----END KEY-----\n"
    assert Secrets([key]).hide("read MIIEvQIBADANBg }") == "read *** }"


def test_nothing_is_hidden_without_secrets() -> None:
    value = {"a": ["text", 1]}
    assert Secrets().hide(value) is value
    assert not Secrets(["", None, True])


@pytest.mark.parametrize(("value", "found"), [(["x", {"k": "a hunter2 b"}], True), ("hunter", False), (7, False)])
def test_it_tells_whether_a_value_holds_a_secret(value: Any, found: bool) -> None:
    assert Secrets(["hunter2"]).occur_in(value) is found


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("hunter2", {"hunter2"}),
        ({"tag": "value", "value": "hunter2"}, {"hunter2"}),
        ({"user": "bob", "codes": [12, None, True]}, {"bob", "12"}),
        (["", "***"], set()),
    ],
)
def test_secrets_are_the_texts_and_numbers_of_a_value_without_the_names_of_a_form(value: Any, texts: set[str]) -> None:
    assert secret_texts(value) == texts


def test_secrets_show_nothing_of_themselves() -> None:
    assert "hunter2" not in repr(Secrets(["hunter2"]))


@pytest.mark.parametrize("echo", ["as it is", "URL", "whole URL", "form", "HTML", "JSON", "JSON in UTF-8"])
def test_secrets_too_long_to_be_found_in_every_form_are_found_in_one(echo: str) -> None:
    long = "é <x>\n" * 1000
    many = [f"pass word {number:05}" for number in range(3000)]
    secrets = Secrets([long, *many])

    assert secrets.hide_in(f"a {ECHOES[echo](long)} b") == "a *** b"
    assert secrets.hide_in(f"a {ECHOES[echo](many[-1])} b") == "a *** b"

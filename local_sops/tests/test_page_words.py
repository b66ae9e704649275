"""The page in English and in Chinese."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from page_reader import Page, failed

from local_sops import page as page_package
from local_sops.page.words import CHINESE_TEXTS

if TYPE_CHECKING:
    from sops_client import SopsClient

FOLDER = Path(page_package.__file__).parent
SOURCES = {path: path.read_text(encoding="utf-8") for path in [*FOLDER.glob("*.py"), *FOLDER.glob("html/*.html")]}
STATES = {"CREATED", "EXPIRED", "FAILED", "FINISHED", "NODE_SUSPENDED", "READY", "REVOKED", "RUNNING", "SUSPENDED"}
TASK_ACTIONS = {"Start", "Pause", "Resume", "Revoke"}


def in_language(url: str, language: str) -> Page:
    return Page(requests.get(url, headers={"Accept-Language": language}, timeout=10))


def test_every_text_has_a_chinese_one() -> None:
    named = {text for source in SOURCES.values() for _, text in re.findall(r"""\bt\((["'])(.+?)\1""", source)}

    assert named <= set(CHINESE_TEXTS)


def test_no_chinese_text_is_left_over() -> None:
    code = "\n".join(SOURCES.values())

    assert not [text for text in CHINESE_TEXTS if text not in code and text not in STATES | TASK_ACTIONS]


@pytest.mark.parametrize("text", sorted(CHINESE_TEXTS))
def test_both_texts_take_the_same_values(text: str) -> None:
    pattern = r"\{\w+\}"

    assert set(re.findall(pattern, CHINESE_TEXTS[text])) <= set(re.findall(pattern, text))


@pytest.mark.parametrize(
    ("language", "heading"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "任务"),
        ("zh-TW", "任务"),
        ("en-US,zh;q=0.9", "Tasks"),
        ("de", "Tasks"),
        ("", "Tasks"),
    ],
)
def test_it_speaks_the_language_that_the_browser_asks_for_first(sops: SopsClient, language: str, heading: str) -> None:
    page = in_language(f"{sops.base_url}/", language)

    assert page.root.all("h1")[0].words == heading
    assert page.root.all("html")[0].attributes["lang"] == ("zh-CN" if heading == "任务" else "en")


def test_the_page_of_a_task_is_all_in_chinese(sops: SopsClient) -> None:
    task_id = failed(sops)
    url = sops.detail(task_id)["task_url"]
    page = in_language(url, "zh-CN")
    node = next(one.attributes["href"] for one in page["needs"].all("a"))
    page = in_language(requests.compat.urljoin(url, node), "zh-CN")

    assert page["state"].words == "失败"
    assert [one.words for one in page.root.all("h2")] == ["fails 失败", "节点"]
    assert [one.words for one in page["node-actions"].all("button")] == ["重试", "跳过"]
    assert [one.words for one in page.root.all("button")][:2] == ["暂停", "终止"]
    english = set(CHINESE_TEXTS) - STATES - {text for text in CHINESE_TEXTS if CHINESE_TEXTS[text] == text}
    shown = {one.words for one in page.root.walk() if one.tag in ("th", "h2", "h3", "button", "span", "label")}
    assert not shown & english

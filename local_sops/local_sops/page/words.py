"""The page's own words in the reader's language: English, or Chinese if the browser asks for that first."""

from __future__ import annotations

import json
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

_ENGLISH, _CHINESE = "en", "zh-CN"
#: Chinese texts, by the English ones.
CHINESE_TEXTS: dict[str, str] = json.loads(Path(__file__).with_name("words_zh.json").read_text(encoding="utf-8"))
_language: ContextVar[str] = ContextVar("language", default=_ENGLISH)


def choose_language(request: Request) -> None:
    """Take the language that the browser asks for first, for the answer to this request."""
    first = request.accept_languages.best
    _language.set(_CHINESE if first and first.lower().startswith("zh") else _ENGLISH)


def language() -> str:
    """Return the language of the answer, as HTML names it."""
    return _language.get()


def t(text: str, **values: object) -> str:
    """Return one of the page's texts in the language of the answer.

    :param text: in English; what has no Chinese text, such as the code of a plugin, stays as it is.
    :param values: what takes the place of ``{name}``.
    """
    found = CHINESE_TEXTS.get(text, text) if language() == _CHINESE else text
    return found.format(**values) if values else found

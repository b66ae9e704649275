"""The pages of the documentation, taken apart as GitHub renders them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
_MARKDOWN = MarkdownIt("commonmark").enable("table")
_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_ANCHOR_OF_HTML = re.compile(r"""<a\s[^>]*?(?:id|name)=["']([^"']+)""")


@dataclass(frozen=True)
class CodeBlock:
    """A block of code in a page.

    :param language: as written behind the fence; empty for an indented block.
    :param line: where in the page its first line is, from 1.
    :param note: the HTML comment right above it, which GitHub does not show.
    """

    page: Path
    language: str
    text: str
    line: int
    note: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def code_blocks(self) -> list[CodeBlock]:
        """All blocks of code, fenced and indented ones."""
        return [
            CodeBlock(
                self.path,
                language=token.info.split()[0] if token.info.strip() else "",
                text=token.content,
                line=_first_line(token),
                note=_note(before),
            )
            for before, token in zip([None, *self._tokens], self._tokens, strict=False)
            if token.type in ("fence", "code_block")
        ]

    @cached_property
    def links(self) -> list[str]:
        """Where its links and pictures lead, as written."""
        return [
            str(token.attrs["href" if token.type == "link_open" else "src"])
            for token in self._inline_tokens
            if token.type in ("link_open", "image")
        ]

    @cached_property
    def code_spans(self) -> list[str]:
        """The pieces of code within its text."""
        return [token.content for token in self._inline_tokens if token.type == "code_inline"]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link to a place in this page may name behind ``#``."""
        anchors: set[str] = set()
        for opening, heading in zip(self._tokens, self._tokens[1:], strict=False):
            if opening.type == "heading_open":
                anchors.add(_free_anchor(_heading_text(heading), anchors))
            anchors.update(_ANCHOR_OF_HTML.findall(opening.content))
        return anchors

    @cached_property
    def _tokens(self) -> list[Token]:
        return _MARKDOWN.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def _inline_tokens(self) -> list[Token]:
        return [child for token in self._tokens for child in token.children or ()]


def _first_line(token: Token) -> int:
    assert token.map
    return token.map[0] + (2 if token.type == "fence" else 1)


def _note(before: Token | None) -> str:
    found = _COMMENT.fullmatch(before.content.strip()) if before and before.type == "html_block" else None
    return found[1] if found else ""


def _heading_text(heading: Token) -> str:
    return "".join(child.content for child in heading.children or () if child.type in ("text", "code_inline"))


def _free_anchor(text: str, taken: set[str]) -> str:
    """Return the anchor that GitHub gives a heading: a second heading of the same text gets ``-1``, and so on."""
    anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
    number = 0
    while (name := f"{anchor}-{number}" if number else anchor) in taken:
        number += 1
    return name


#: What people read before they read code. Pages in folders below ``docs/`` are pages too.
PAGES = [
    Page(path)
    for path in (
        ROOT / "README.md",
        ROOT / "README.zh-CN.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "local_sops/README.md",
        ROOT / "local_sops/README.zh-CN.md",
        ROOT / "tests/contract/README.md",
    )
]

#: The pages whose code is tried. The Chinese ones have the code of the English ones: see `test_chinese.py`.
PAGES_WITH_OWN_CODE = [page for page in PAGES if page.path.parent.name != "zh" and page.path.stem != "README.zh-CN"]

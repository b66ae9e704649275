"""Links in the pages lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import PAGES, ROOT, Page

if TYPE_CHECKING:
    from pathlib import Path

LINKS = [(page, link) for page in PAGES for link in page.links]


def reason_why_dead(page: Page, link: str) -> str:
    """Return why a link leads nowhere; empty if it leads somewhere, or out of the project."""
    address = urlsplit(link)
    if address.scheme:
        return "" if address.scheme in ("http", "https") and address.netloc else "an address of no web page"
    target = page.path.parent / unquote(address.path) if address.path else page.path
    if not target.exists():
        return "there is no such file"
    if not address.fragment:
        return ""
    if target.suffix != ".md":
        return "only pages have anchors"
    return "" if unquote(address.fragment) in Page(target.resolve()).anchors else "the page has no such heading"


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page} {link}" for page, link in LINKS])
def test_a_link_leads_somewhere(page: Page, link: str) -> None:
    assert not reason_why_dead(page, link)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("other.md", ""),
        ("other.md#a-title-with-code-and--signs", ""),
        ("other.md#twice", ""),
        ("other.md#twice-1", ""),
        ("#here", ""),
        ("https://example.com/page#part", ""),
        ("missing.md", "there is no such file"),
        ("other.md#twice-2", "the page has no such heading"),
        ("#there", "the page has no such heading"),
        ("htps:/example.com", "an address of no web page"),
    ],
)
def test_a_dead_link_is_told_from_a_good_one(tmp_path: Path, link: str, reason: str) -> None:
    (tmp_path / "other.md").write_text("# A title: with `code`, and & signs!\n\n## Twice\n\n## Twice\n")
    (tmp_path / "page.md").write_text(f"# Here\n\n[a link]({link})\n")
    page = Page(tmp_path / "page.md")

    assert [reason_why_dead(page, each) for each in page.links] == [reason]


def test_every_picture_is_in_a_page() -> None:
    shown = {(page.path.parent / link).resolve() for page, link in LINKS if link.endswith(".png")}

    assert set((ROOT / "docs/pictures").iterdir()) == shown

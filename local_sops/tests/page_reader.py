"""A page as a test looks at it: its elements, and its forms as a browser would send them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import requests
from sops_client import is_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sops_client import SopsClient

#: The template of which a task fails.
FAIL = 12
_VOID = frozenset({"meta", "link", "input", "br"})


@dataclass
class Element:
    """An element of a page; texts are children too."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.children)

    @property
    def words(self) -> str:
        """The text on one line."""
        return " ".join(self.text.split())

    def all(self, tag: str) -> list[Element]:
        return [one for one in self.walk() if one.tag == tag]

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


class Page:
    """A page of the server; reading it fails if its elements are not well nested."""

    def __init__(self, response: requests.Response) -> None:
        self.url = response.url
        self.status = response.status_code
        self.html = response.text
        builder = _Builder()
        builder.feed(response.text)
        self.root = builder.root

    @classmethod
    def get(cls, url: str) -> Page:
        return cls(requests.get(url, timeout=10))

    def __getitem__(self, element_id: str) -> Element:
        return next(one for one in self.root.walk() if one.attributes.get("id") == element_id)

    def has(self, element_id: str) -> bool:
        return any(one.attributes.get("id") == element_id for one in self.root.walk())

    @property
    def buttons(self) -> list[str]:
        """What can be done on the page."""
        return [one.attributes["value"] for one in self.root.all("button") if "value" in one.attributes]

    def link(self, words: str) -> Page:
        """Follow the first link of these words."""
        found = next(one for one in self.root.all("a") if one.words == words)
        return Page.get(requests.compat.urljoin(self.url, found.attributes["href"]))

    def press(self, action: str, *, origin: str | None = "own", within: str = "", **typed: str) -> Page:
        """Send the first form with a button, some of its fields filled in.

        :param within: id of the element that the form is in.
        :param origin: of the page that the form is on, as a browser tells it.
        """
        place = self[within] if within else self.root
        form = next(one for one in place.all("form") if action in _buttons(one))
        values = {one.attributes["name"]: one.attributes.get("value", "") for one in form.all("input")}
        # A browser drops the first line break.
        values |= {one.attributes["name"]: one.text.removeprefix("\n") for one in form.all("textarea")}
        values |= {one.attributes["name"]: one.all("option")[0].attributes["value"] for one in form.all("select")}
        host = "/".join(self.url.split("/")[:3])
        headers = {"Origin": host if origin == "own" else origin} if origin else {}
        url = requests.compat.urljoin(self.url, form.attributes["action"])
        return Page(requests.post(url, data={**values, **typed, "do": action}, headers=headers, timeout=10))


def _buttons(form: Element) -> list[str]:
    return [one.attributes.get("value", "") for one in form.all("button")]


def task_page(sops: SopsClient, task_id: int) -> Page:
    return Page.get(sops.detail(task_id)["task_url"])


def list_page(sops: SopsClient, **query: Any) -> Page:
    return Page(requests.get(f"{sops.base_url}/", params=query, timeout=10))


def names_on(page: Page) -> list[str]:
    return [row.all("td")[1].words for row in page["tasks"].all("tbody")[0].all("tr")]


def node_table(page: Page) -> dict[str, str]:
    """Name -> state, in the order of the page; the start and end of subprocesses only once."""
    rows = [row for row in page.root.all("tr") if row.attributes.get("id", "").startswith("row-")]
    return {row.all("td")[0].words: row.all("td")[2].words for row in rows}


def drawn(page: Page) -> dict[str, str]:
    """Name -> look of every node in the picture."""
    nodes = page["drawing"].all("g")
    return {one.all("title")[0].text.splitlines()[0]: one.attributes["class"].split()[1] for one in nodes}


def press(page: Callable[[], Page], action: str, **typed: str) -> Page:
    """Press a button as soon as the engine lets it be: for a moment after a failure it refuses."""
    deadline = time.monotonic() + 10
    while (done := page().press(action, **typed)).status == 409:
        assert time.monotonic() < deadline, done.html
    return done


def failed(sops: SopsClient, template_id: int = FAIL, **body: Any) -> int:
    task_id: int = sops.run(template_id, **body)["task_id"]
    sops.wait(task_id, is_in("FAILED"))
    return task_id

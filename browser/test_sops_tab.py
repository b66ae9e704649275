"""The tab SOPS in Airflow's UI, in every state of a flow; ``--pictures docs/pictures`` takes its pictures anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from browser.airflow_page import AIRFLOW_MILLISECONDS, Airflow

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from browser.pictures import Pictures

TEXT = (Path(__file__).resolve().parent.parent / "docs/ui.md").read_text(encoding="utf-8")
HOSTILE = "<img src=x onerror=\"document.title='read as HTML'\">"


@pytest.fixture
def airflow(page: Page, demo: re.Match[str]) -> Airflow:
    return Airflow(page, demo)


def start_release(airflow: Airflow) -> FrameLocator:
    """Start a release and return what its tab shows, once there is a SOPS task."""
    airflow.open_dag("walk_through")
    airflow.trigger()
    airflow.open_task("release")
    airflow.expect_state("Deferred")
    return open_tab(airflow)


def open_tab(airflow: Airflow) -> FrameLocator:
    airflow.open_tab("SOPS")
    tab = airflow.page.frame_locator("iframe")
    expect(tab.locator("svg.flow")).to_be_visible(timeout=AIRFLOW_MILLISECONDS)
    return tab


def expect_state(tab: FrameLocator, word: str) -> None:
    expect(tab.locator("h1 .badge")).to_have_text(word, timeout=AIRFLOW_MILLISECONDS)


def do(tab: FrameLocator, word: str) -> None:
    """Press a button and confirm."""
    tab.get_by_role("button", name=word, exact=True).first.click()
    tab.locator(".confirmation").get_by_role("button", name=word, exact=True).click()


def test_a_flow_from_its_start_to_its_end(airflow: Airflow, pictures: Pictures) -> None:
    tab = start_release(airflow)
    expect_state(tab, "running")
    expect(tab.locator(".node.is-RUNNING").first).to_be_visible()

    expect_state(tab, "failed")
    expect(tab.locator(".panel h2")).to_contain_text("check the disk")
    expect(tab.locator(".panel pre.error")).to_have_text("the disk is full")
    pictures.take(airflow.page, "tab-failed")
    take_narrow(airflow, pictures)

    tab.get_by_role("button", name="Retry", exact=True).click()
    inputs = tab.get_by_role("textbox", name="Inputs of the next try")
    inputs.fill(inputs.input_value().replace('"false"', '"true"'))
    tab.locator(".confirmation").get_by_role("button", name="Retry").click()
    expect_state(tab, "waits for a person")
    expect(tab.locator("#announcer")).to_contain_text("Node approve: waits for a person")
    tab.locator(".needs").get_by_role("button", name="waits for admin").click()
    do(tab, "Approve")
    expect_state(tab, "finished")
    expect(tab.locator(".columns")).to_contain_text("all is well")

    assert set(re.findall(r"\(pictures/(.+?)\.png\)", TEXT)) == pictures.taken


def take_narrow(airflow: Airflow, pictures: Pictures) -> None:
    """Take a picture of the page alone, as narrow as a phone and in the dark."""
    frame = airflow.page.locator("iframe").element_handle()
    address = frame and frame.get_attribute("src")
    assert address
    context = airflow.page.context
    alone = context.new_page()
    alone.add_init_script("localStorage.setItem('theme', 'dark')")
    alone.set_viewport_size({"width": 390, "height": 844})
    alone.goto(f"{re.match('https?://[^/]+', airflow.page.url)[0]}{address}")  # type: ignore[index]
    expect(alone.locator(".panel pre.error")).to_be_visible()
    assert alone.evaluate("document.documentElement.classList.contains('dark')")
    assert alone.evaluate("document.documentElement.scrollWidth") <= 390
    pictures.take(alone, "tab-narrow")
    alone.evaluate("localStorage.setItem('theme', 'light')")
    alone.close()


def test_a_revoked_flow_by_keyboard(airflow: Airflow) -> None:
    tab = start_release(airflow)
    tab.get_by_role("button", name="Revoke", exact=True).focus()
    airflow.page.keyboard.press("Enter")
    expect(tab.locator(".confirmation").get_by_role("button", name="Cancel")).to_be_focused()
    airflow.page.keyboard.press("Shift+Tab")
    airflow.page.keyboard.press("Enter")

    expect_state(tab, "revoked")
    expect(tab.locator(".needs")).to_contain_text("SOPS lets these nodes finish")
    airflow.expect_state("Failed")


def test_the_look_follows_airflows_own_switch(airflow: Airflow) -> None:
    tab = start_release(airflow)
    expect(tab.locator("html")).not_to_have_class("dark")
    airflow.page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    airflow.page.evaluate("document.documentElement.classList.add('dark')")

    expect(tab.locator("html")).to_have_class("dark")


def test_a_node_of_a_watched_flow_is_chosen_in_its_tab(airflow: Airflow) -> None:
    airflow.open_dag("sops_pipeline_watch")
    airflow.trigger()
    airflow.open_task("deploy_workers__00000005")
    airflow.expect_state("Success")
    tab = open_tab(airflow)

    expect(tab.locator(".panel h2")).to_contain_text("deploy workers")
    tab.get_by_role("button", name="Inside: check the service").click()
    expect(tab.locator("svg.flow")).to_contain_text("leaf says")


def test_a_page_that_nobody_sees_asks_nothing(airflow: Airflow) -> None:
    start_release(airflow)
    frame = next(frame for frame in airflow.page.frames if "/sops/" in frame.url)
    frame.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    airflow.page.wait_for_timeout(4000)
    asked: list[str] = []
    airflow.page.on("request", lambda request: asked.append(request.url) if "/sops/" in request.url else None)
    airflow.page.wait_for_timeout(8000)

    assert asked == []


def test_texts_of_sops_are_never_read_as_html(airflow: Airflow) -> None:
    def poison(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=hostile(answer.json()))

    airflow.page.route(re.compile(r"/sops/.*/(task|node)\?"), poison)
    tab = start_release(airflow)
    expect(tab.locator("h1")).to_contain_text("<img src=x")
    expect(tab.locator("svg.flow")).to_contain_text("<img")

    expect(tab.locator("img")).to_have_count(0)
    assert "read as HTML" not in airflow.page.title()


def hostile(value: Any, name: str = "") -> Any:
    """Return an answer with HTML in all names, texts and values."""
    if isinstance(value, dict):
        return {key: hostile(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, name) for each in value]
    is_text = isinstance(value, str) and name in ("name", "full_name", "value", "key", "error", "log", "label", "words")
    return f"{HOSTILE}{value}" if is_text else value

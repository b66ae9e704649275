"""Who may look at the tab and who may act there, as Airflow's roles say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from browser.airflow_page import AIRFLOW_MILLISECONDS, Airflow

if TYPE_CHECKING:
    import re

    from playwright.sync_api import Browser, FrameLocator


@pytest.fixture
def tab_address(page: Page, demo: re.Match[str]) -> str:
    """The address of the tab of a task whose flow goes on."""
    airflow = Airflow(page, demo)
    airflow.open_dag("walk_through")
    airflow.trigger()
    airflow.open_task("release")
    airflow.expect_state("Deferred")
    return str(page.url)


def open_as(user: str, chromium: Browser, demo: re.Match[str], address: str) -> tuple[Page, FrameLocator]:
    """Log in as somebody else and open the tab of a task."""
    page = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    airflow = Airflow(page, demo, user=user)
    page.goto(address)
    airflow.open_tab("SOPS")
    tab = page.frame_locator("iframe")
    expect(tab.locator("svg.flow")).to_be_visible(timeout=AIRFLOW_MILLISECONDS)
    return page, tab


def act(page: Page, action: str) -> int:
    """Send what a button of the tab would send; return the status of the answer."""
    status: int = page.frames[1].evaluate(
        """async (action) => {
            const here = new URL(location.href), place = (name) => here.searchParams.get(name);
            const order = { run_id: place("run_id"), task_id: place("task_id"), map_index: -1, action };
            const headers = { "Content-Type": "application/json" };
            return (await fetch(new URL("act", here), { method: "POST", headers, body: JSON.stringify(order) })).status;
        }""",
        action,
    )
    return status


def test_a_viewer_looks_and_may_not_act(chromium: Browser, demo: re.Match[str], tab_address: str) -> None:
    page, tab = open_as("viewer", chromium, demo, tab_address)

    expect(tab.locator("h1 .badge")).to_be_visible()
    expect(tab.get_by_role("button", name="Revoke", exact=True)).to_have_count(0)
    assert act(page, "revoke") == 403
    page.context.close()


def test_an_editor_acts(chromium: Browser, demo: re.Match[str], tab_address: str) -> None:
    page, tab = open_as("editor", chromium, demo, tab_address)
    tab.get_by_role("button", name="Revoke", exact=True).click()
    tab.locator(".confirmation").get_by_role("button", name="Revoke", exact=True).click()

    expect(tab.locator("h1 .badge")).to_have_text("revoked", timeout=AIRFLOW_MILLISECONDS)
    page.context.close()


def test_somebody_who_is_not_logged_in_sees_nothing(
    chromium: Browser, demo: re.Match[str], page: Page, tab_address: str
) -> None:
    page.get_by_role("link", name="SOPS", exact=True).click()
    address = page.locator("iframe").get_attribute("src")
    with chromium.new_context(base_url=demo["airflow"]) as stranger:
        assert address
        assert stranger.request.get(address).status == 401
        assert stranger.request.get(address.replace("/page", "/task")).status == 401
        assert stranger.request.post(address.replace("/page", "/act"), data={}).status == 401

"""The page of local_sops as a browser shows it; what a server alone can tell stands in the tests of local_sops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from browser.sops_tasks import SopsTasks

NESTED, LONG, APPROVAL, NODES_200, FAIL_ON_DEMAND = 8, 17, 30, 200, 500
FAILED = "g.failed"


def test_a_node_that_is_retried_with_new_inputs_turns_green(sops: SopsTasks, page: Page) -> None:
    page.goto(sops.run(FAIL_ON_DEMAND))
    expect(page.locator("#state")).to_have_text("FAILED")
    page.locator("#drawing a", has=page.locator(FAILED)).click()
    expect(page.locator("#node-data")).to_contain_text("the disk is full")
    page.get_by_label("Inputs of the next try").fill('{"succeed": true}')
    page.get_by_role("button", name="Retry").click()

    expect(page.locator("#drawing g.done.chosen")).to_contain_text("fail on demand")
    expect(page.locator("#state")).to_have_text("FINISHED")
    expect(page.locator(FAILED)).to_have_count(0)


def test_the_page_follows_the_flow_by_itself(sops: SopsTasks, page: Page) -> None:
    page.goto(sops.run(LONG, seconds=3))
    loads: list[str] = []
    page.on("load", lambda loaded: loads.append(loaded.url))

    expect(page.locator("#drawing g.going")).to_have_count(1)
    expect(page.locator("#drawing g.going")).to_have_count(0)
    expect(page.locator("#state")).to_have_text("FINISHED")
    assert not loads


def test_what_is_being_typed_outlives_the_refresh(sops: SopsTasks, page: Page) -> None:
    page.goto(sops.run(FAIL_ON_DEMAND))
    page.locator("#needs").get_by_role("link").click()
    typed = page.get_by_label("Inputs of the next try")
    typed.fill("half of what I mean")
    page.get_by_role("heading", name="Nodes").click()
    with page.expect_response(lambda response: "instance_id" in response.url):
        pass
    page.wait_for_load_state("networkidle")

    expect(typed).to_have_value("half of what I mean")


def test_a_subprocess_opens_by_a_click_and_leads_back(sops: SopsTasks, page: Page) -> None:
    page.goto(sops.run(NESTED))
    page.locator("#drawing").get_by_role("link", name="call middle").click()
    expect(page.locator("#drawing")).to_contain_text("middle says")
    page.get_by_role("navigation").get_by_role("link", name="template 8").click()
    expect(page.locator("#drawing")).to_contain_text("call leaf")


def test_a_node_far_down_a_large_flow_is_brought_into_view_and_all_fits_by_choice(sops: SopsTasks, page: Page) -> None:
    page.goto(sops.run(NODES_200))
    expect(page.locator("#state")).to_have_text("FINISHED")
    page.locator("table.nodes").get_by_role("link", name="node 150", exact=True).click()
    chosen = page.locator("#drawing g.chosen")
    expect(chosen).to_contain_text("node 150")
    assert is_inside(page, "#drawing g.chosen", "#canvas")

    page.get_by_label("fit to the window").check()
    assert is_inside(page, "#drawing svg", "#canvas")
    page.reload()
    expect(page.get_by_label("fit to the window")).to_be_checked()


def is_inside(page: Page, inner: str, outer: str) -> bool:
    """Whether an element is within the width of another."""
    return bool(
        page.evaluate(
            """([inner, outer]) => {
                const [one, other] = [inner, outer].map((each) => document.querySelector(each).getBoundingClientRect());
                return one.left >= other.left && one.right <= other.right;
            }""",
            [inner, outer],
        )
    )


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_page_and_drawing_follow_the_scheme(sops: SopsTasks, chromium: Browser, scheme: str, is_dark: bool) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(sops.run(APPROVAL))
        for element in ("body", "#drawing .page"):
            paint = "backgroundColor" if element == "body" else "fill"
            script = f"(element) => getComputedStyle(element).{paint}.match(/\\d+/g).slice(0, 3).map(Number)"
            red, green, blue = page.locator(element).evaluate(script)
            assert (red + green + blue < 3 * 128) is is_dark

"""Approvals that are answered in Airflow and in SOPS, in Airflow's own Required Actions."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from browser.airflow_page import AIRFLOW_MILLISECONDS, Airflow

if TYPE_CHECKING:
    from collections.abc import Callable

#: The tasks of the demo's DAG that wait for somebody: that of a whole flow, and that of one node.
WHOLE, NODE = "whole", "watched.approve__00000003"
#: Far more than it takes, for a busy machine; ``--junit-xml`` has how long it took.
LONGEST_SECONDS = 60.0


@pytest.fixture
def airflow(page: Page, demo: re.Match[str]) -> Airflow:
    """A run of the DAG ``approvals`` whose two flows both wait for an approval."""
    airflow = Airflow(page, demo)
    before = len(requests_of(airflow))
    airflow.open_dag("approvals")
    airflow.trigger()
    deadline = time.monotonic() + AIRFLOW_MILLISECONDS / 1000
    while len(requests_of(airflow)) < before + 2:
        assert time.monotonic() < deadline
        page.wait_for_timeout(1000)
    return airflow


def requests_of(airflow: Airflow) -> list[dict[str, Any]]:
    """Return what Airflow asks or has asked people, newest first."""
    answer = airflow.page.request.get(
        f"{airflow.url}/api/v2/dags/approvals/dagRuns/~/hitlDetails?order_by=-created_at&limit=50"
    )
    found: list[dict[str, Any]] = answer.json()["hitl_details"]
    return found


def latest(airflow: Airflow, task_id: str) -> dict[str, Any]:
    """Return the latest request of a task."""
    return next(each for each in requests_of(airflow) if each["task_instance"]["task_id"] == task_id)


def open_sops(airflow: Airflow, task_id: str) -> tuple[FrameLocator, str]:
    """Open a task's tab; return what it shows, and the address of its SOPS task."""
    airflow.open_task_of("approvals", latest(airflow, task_id)["task_instance"]["dag_run_id"], task_id)
    airflow.open_tab("SOPS")
    tab = airflow.page.frame_locator("iframe")
    expect(tab.locator("h1 .badge")).to_have_text("waits for a person", timeout=AIRFLOW_MILLISECONDS)
    return tab, tab.get_by_label("Its page in SOPS").input_value()


@pytest.mark.parametrize("task_id", [WHOLE, NODE])
def test_an_answer_in_airflow_reaches_sops(
    airflow: Airflow, task_id: str, record_testsuite_property: Callable[[str, object], None]
) -> None:
    _, address = open_sops(airflow, task_id)
    # A busy scheduler may not have seen yet that the worker has gone, and would take that for the end of the try.
    airflow.page.wait_for_timeout(15_000)
    airflow.open_required_action()
    expect(airflow.page.get_by_text("may it go on?").first).to_be_visible()
    airflow.answer("Approve")
    answered = time.monotonic()
    while not re.search(r'id="state"[^>]*><span class="state finished">', airflow.page.request.get(address).text()):
        assert time.monotonic() - answered < LONGEST_SECONDS
        airflow.page.wait_for_timeout(100)
    record_testsuite_property(
        f"{task_id}: seconds until SOPS had finished the flow", round(time.monotonic() - answered, 1)
    )

    airflow.expect_state("Success")
    assert latest(airflow, task_id)["chosen_options"] == ["Approve"]
    airflow.open_tab("Logs")
    told = airflow.page.get_by_text(
        '"admin" has answered "Approve" in Airflow; SOPS is told so in the name of "admin".'
    )
    expect(told.first).to_be_visible(timeout=AIRFLOW_MILLISECONDS)


@pytest.mark.parametrize("task_id", [WHOLE, NODE])
def test_an_answer_in_sops_closes_the_request(airflow: Airflow, task_id: str) -> None:
    tab, _ = open_sops(airflow, task_id)
    tab.locator(".needs").get_by_role("button").first.click()
    tab.get_by_role("button", name="Approve", exact=True).first.click()
    tab.locator(".confirmation").get_by_role("button", name="Approve", exact=True).click()

    airflow.expect_state("Success")
    assert latest(airflow, task_id)["chosen_options"] == ["Closed: see SOPS"]


def test_the_list_of_a_run_shows_sopss_own_states(airflow: Airflow) -> None:
    airflow.open_dag("approvals")
    airflow.open_run()
    airflow.open_tab("SOPS")
    tab = airflow.page.frame_locator("iframe")
    states = tab.locator("table.list td[data-label='State in SOPS']")

    expect(states).to_have_text(["waits for a person"] * 2, timeout=AIRFLOW_MILLISECONDS)

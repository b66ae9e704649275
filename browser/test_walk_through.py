"""``docs/walk-through.md``, followed step by step; ``--pictures docs/pictures`` takes its pictures anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from browser.airflow_page import AIRFLOW_MILLISECONDS, Airflow

if TYPE_CHECKING:
    from browser.pictures import Pictures

TEXT = (Path(__file__).resolve().parent.parent / "docs/walk-through.md").read_text(encoding="utf-8")


@pytest.fixture
def airflow(page: Page, demo: re.Match[str]) -> Airflow:
    return Airflow(page, demo)


def test_every_step_can_be_followed(airflow: Airflow, pictures: Pictures) -> None:
    run(airflow, pictures)
    sops = watch(airflow, pictures)
    fail(airflow, sops, pictures)
    repair(sops, pictures)
    retry_from_airflow(airflow, pictures)
    approve(airflow, sops, pictures)
    watch_every_node(airflow, pictures)
    chain(airflow, pictures)

    assert set(re.findall(r"\(pictures/(.+?)\.png\)", TEXT)) == pictures.taken


def run(airflow: Airflow, pictures: Pictures) -> None:
    airflow.open_dag("walk_through")
    airflow.page.get_by_test_id("trigger-dag-button").click()
    expect(airflow.page.get_by_text("Version to release")).to_be_visible()
    pictures.take(airflow.page, "run")
    airflow.page.get_by_test_id("trigger-dag-submit").click()


def watch(airflow: Airflow, pictures: Pictures) -> Page:
    """Follow the link to SOPS; return its page."""
    airflow.open_task("release")
    airflow.expect_state("Deferred")
    airflow.open_tab("Details")
    link = airflow.page.get_by_role("link", name="SOPS task")
    expect(link).to_be_visible(timeout=AIRFLOW_MILLISECONDS)
    pictures.take(airflow.page, "watch-airflow")
    with airflow.page.expect_popup() as opened:
        link.click()
    sops = opened.value
    sops.set_viewport_size({"width": 1280, "height": 800})
    expect(sops.locator("#drawing g.going").first).to_be_visible()
    pictures.take(sops, "watch-sops")
    return sops


def fail(airflow: Airflow, sops: Page, pictures: Pictures) -> None:
    expect(sops.locator("#drawing g.failed")).to_contain_text("check the disk")
    pictures.take(sops, "fail-sops")
    airflow.expect_state("Failed")
    airflow.open_tab("Logs")
    expect(airflow.page.get_by_text('node "check the disk" FAILED')).to_be_visible()
    expect(airflow.page.get_by_text("Retry or skip the node there").first).to_be_visible()
    pictures.take(airflow.page, "fail-airflow")


def repair(sops: Page, pictures: Pictures) -> None:
    sops.locator("#drawing").get_by_role("link", name="check the disk").click()
    inputs = sops.get_by_label("Inputs of the next try")
    expect(inputs).to_have_value(re.compile('"succeed": "false"'))
    inputs.fill(inputs.input_value().replace('"false"', '"true"'))
    pictures.take(sops, "repair")
    sops.get_by_role("button", name="Retry").click()
    expect(sops.locator("#drawing g.done.chosen")).to_contain_text("check the disk")
    expect(sops.locator("#drawing g.held")).to_contain_text("approve")
    pictures.take(sops, "repaired")


def retry_from_airflow(airflow: Airflow, pictures: Pictures) -> None:
    airflow.page.get_by_label("Press shift+c to clear").click()
    expect(airflow.page.get_by_text("Affected Tasks: 2")).to_be_visible()
    pictures.take(airflow.page, "retry")
    airflow.page.get_by_role("button", name="Confirm").click()
    airflow.expect_state("Deferred")
    waits = airflow.page.get_by_text('node "approve" waits for a person')
    expect(waits).to_be_visible(timeout=AIRFLOW_MILLISECONDS)
    pictures.take(airflow.page, "joined")


def approve(airflow: Airflow, sops: Page, pictures: Pictures) -> None:
    airflow.open_required_action()
    airflow.look_elsewhere()
    pictures.take(airflow.page, "tab-approve")
    airflow.answer("Approve")
    expect(sops.locator("#state")).to_have_text("FINISHED")
    airflow.expect_state("Success")
    airflow.open_task("announce")
    airflow.expect_state("Success")
    expect(airflow.page.get_by_text("released 1.4.2: all is well")).to_be_visible(timeout=AIRFLOW_MILLISECONDS)
    airflow.look_elsewhere()
    pictures.take(airflow.page, "success")


def watch_every_node(airflow: Airflow, pictures: Pictures) -> None:
    airflow.open_dag("sops_pipeline_watch")
    airflow.trigger()
    airflow.open_run()
    airflow.show_graph()
    airflow.expect_in_graph("tell the team", "success")
    airflow.expect_in_graph("nothing to check", "skipped")
    airflow.fold_details()
    airflow.fit_graph()
    airflow.look_elsewhere()
    pictures.take(airflow.page, "nodes")
    airflow.unfold_details()


def chain(airflow: Airflow, pictures: Pictures) -> None:
    for dag_id in ("sops_batch_follow_up", "sops_batch_chain"):
        airflow.open_dag(dag_id)
        airflow.switch_on()
    airflow.open_run()
    airflow.show_graph()
    airflow.expect_in_graph("finish", "success")
    airflow.expect_in_graph("repair", "skipped")
    airflow.expect_state("Success")
    airflow.look_elsewhere()
    pictures.take(airflow.page, "chain")
    airflow.open_dag("sops_batch_follow_up")
    airflow.open_run()
    airflow.show_graph()
    airflow.expect_in_graph("clean_up", "success")

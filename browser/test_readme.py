"""The pictures of ``README.md``; ``--pictures docs/pictures`` takes them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from browser.airflow_page import AIRFLOW_MILLISECONDS, Airflow

if TYPE_CHECKING:
    from browser.pictures import Pictures

TEXT = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [2], indirect=True)
def test_a_flow_looks_alike_in_airflow_and_in_sops(page: Page, demo: re.Match[str], pictures: Pictures) -> None:
    airflow = Airflow(page, demo)
    airflow.open_dag("sops_pipeline_watch")
    airflow.trigger(Seconds="20")
    airflow.open_run()
    airflow.show_graph()
    airflow.expect_in_graph("tell the team", "success")
    airflow.expect_in_graph("nothing to check", "skipped")
    airflow.show_gantt()
    airflow.fold_details()
    page.set_viewport_size({"width": 1000, "height": 640})
    last_task = page.get_by_text("tell the team", exact=True)
    expect(last_task).to_be_visible(timeout=AIRFLOW_MILLISECONDS)
    pictures.take(page, "flow-in-airflow", last=last_task)

    page.goto(demo["sops"])
    page.get_by_role("link", name="sops_pipeline_watch").first.click()
    expect(page.locator("#state")).to_have_text("FINISHED")
    page.get_by_label("fit to the window").check()
    expect(page.locator("#drawing g.done").filter(has_text="check the service")).to_be_visible()
    pictures.take(page, "flow-in-sops", last=page.locator("#canvas"))

    # test_sops_tab.py takes those of the tab.
    assert set(re.findall(r"docs/pictures/(?!tab-)(.+?)\.png", TEXT)) == pictures.taken

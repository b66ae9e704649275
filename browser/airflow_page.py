"""Airflow's UI as somebody clicks through it."""

from __future__ import annotations

import re
from urllib.parse import quote

from playwright.sync_api import Page, expect

# Airflow starts a process for each try, and looks every few seconds.
AIRFLOW_MILLISECONDS = 180_000


class Airflow:
    """Airflow's UI in a page of its own.

    :param demo: addresses and login as ``make demo-ui`` prints them.
    :param user: another user of the demo; they have the same password.
    """

    def __init__(self, page: Page, demo: re.Match[str], *, user: str | None = None) -> None:
        self.page = page
        self.url = demo["airflow"]
        page.goto(self.url)
        page.locator("input[name=username]").fill(user or demo["user"])
        page.locator("input[name=password]").fill(demo["password"])
        page.locator("button[type=submit]").click()
        expect(page.get_by_test_id("nav-dags-link")).to_be_visible()

    def open_dag(self, dag_id: str) -> None:
        """Open the page of a DAG."""
        self.page.goto(f"{self.url}/dags/{dag_id}")
        expect(self.page.get_by_test_id("trigger-dag-button")).to_be_visible()

    def open_task(self, task_id: str) -> None:
        """Click a task's square in the grid, of the latest run."""
        self.page.locator(f"[data-testid^='grid-'][data-testid$='-{task_id}']").first.click()
        expect(self.page.get_by_role("link", name="Logs", exact=True)).to_be_visible()

    def open_task_of(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Open the page of a task by its address, wherever the grid has it."""
        self.page.goto(f"{self.url}/dags/{dag_id}/runs/{quote(run_id)}/tasks/{quote(task_id)}")
        expect(self.page.get_by_role("link", name="Logs", exact=True)).to_be_visible()

    def expect_state(self, word: str) -> None:
        """Wait until the page that is open shows a state in its heading."""
        badge = self.page.get_by_text(re.compile(f"^{word}$")).first
        expect(badge).to_be_visible(timeout=AIRFLOW_MILLISECONDS)

    def open_tab(self, name: str) -> None:
        """Click a tab of a task's page."""
        self.page.get_by_role("link", name=name, exact=True).click()

    def open_required_action(self) -> None:
        """Open what Airflow asks people for a task."""
        self.page.get_by_role("link", name=re.compile("^Required Action")).click(timeout=AIRFLOW_MILLISECONDS)
        expect(self.page.get_by_test_id("hitl-option-Approve")).to_be_visible(timeout=AIRFLOW_MILLISECONDS)

    def answer(self, option: str) -> None:
        """Choose an answer to what the page that is open asks, and wait until Airflow has taken it."""
        # A click on a button that moves is lost.
        self.page.wait_for_timeout(1000)
        with self.page.expect_response(lambda answer: answer.request.method == "PATCH" and answer.ok):
            self.page.get_by_test_id(f"hitl-option-{option}").click()

    def trigger(self, **params: str) -> None:
        """Start a run of the DAG whose page is open; a DAG that is off is switched on by that.

        :param params: what to write into the fields of the form, by their titles.
        """
        self.page.get_by_test_id("trigger-dag-button").click()
        for title, value in params.items():
            self.page.get_by_label(title).fill(value)
        self.page.get_by_test_id("trigger-dag-submit").click()
        expect(self.page.get_by_test_id("trigger-dag-submit")).to_have_count(0)

    def switch_on(self) -> None:
        """Unpause the DAG whose page is open."""
        self.page.get_by_test_id("toggle-pause").click()
        expect(self.page.get_by_test_id("toggle-pause")).to_have_attribute("data-state", "checked")

    def open_run(self) -> None:
        """Open the latest run of the DAG whose page is open."""
        self.page.locator("a[href*='/runs/']").first.click(timeout=AIRFLOW_MILLISECONDS)

    def show_graph(self) -> None:
        """Show the DAG's graph instead of its grid."""
        self.page.get_by_label("Show Graph").click()

    def show_gantt(self) -> None:
        """Show when each task of the run began and ended, beside the grid."""
        self.page.get_by_label("Show Gantt").click()

    def fold_details(self) -> None:
        """Give grid, Gantt chart or graph the room of the details beside them."""
        self.page.get_by_label("Collapse Details Panel").click()

    def unfold_details(self) -> None:
        """Show the details again."""
        self.page.get_by_label("Show Details Panel").click()

    def fit_graph(self) -> None:
        """Draw the graph as large as the window allows."""
        self.page.get_by_label("Fit View").click()

    def expect_in_graph(self, name: str, word: str) -> None:
        """Wait until a task of the graph shows a state."""
        node = self.page.locator(".react-flow__node").filter(has=self.page.get_by_text(name, exact=True))
        expect(node).to_contain_text(word, timeout=AIRFLOW_MILLISECONDS)

    def look_elsewhere(self) -> None:
        """Click where nothing is: what is pointed at says more, and covers the rest."""
        self.page.mouse.click(700, 5)

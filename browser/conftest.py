from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser.pictures import Pictures
from browser.sops_tasks import SopsTasks
from demo.child_process import ChildProcess
from demo.local_sops import start_local_sops

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "local_sops/examples"
# The sandbox of Chromium does not work for root in a container; what is shown comes from this machine alone.
CHROMIUM_OPTIONS = ["--no-sandbox"] if os.geteuid() == 0 else []
DEMO_SECONDS = 240
# For each look at a page; Airflow's may be slow on a busy machine.
expect.set_options(timeout=30_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="folder for the pictures of the walk-through (default: none kept)")


def chromium_path() -> str:
    """Where Chromium is: as ``CHROMIUM`` says, or on PATH under one of its names."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    found = next(filter(None, map(shutil.which, filter(None, names))), None)
    if found is None:
        pytest.exit("There is no Chromium on PATH; install it, or name one with CHROMIUM=/path/to/chromium.", 2)
    return found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page, with ``indirect`` parameters of more pixels; an error of its scripts fails the test."""
    scale = getattr(request, "param", 1)
    with chromium.new_context(
        viewport={"width": 1280, "height": 800}, timezone_id="UTC", device_scale_factor=scale
    ) as context:
        opened = context.new_page()
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        yield opened
        assert not errors


@pytest.fixture(scope="session")
def sops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SopsTasks]:
    """A local_sops with its examples."""
    folder = tmp_path_factory.mktemp("sops")
    server = start_local_sops(
        str(ROOT / ".venvs/local-sops/bin/local-sops"),
        data_folder=folder / "data",
        log_path=folder / "local_sops.log",
        environment=os.environ,
        options=["--plugins", str(EXAMPLES / "plugins"), "--templates", str(EXAMPLES / "templates")],
    )
    yield SopsTasks(server)
    server.process.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[re.Match[str]]:
    """``make demo-ui``: a match with the groups airflow, user, password and sops, as it prints them."""
    command = [str(ROOT / ".venvs/airflow-3.3.2-py3.11/bin/python"), "-m", "demo", "--keep-running"]
    log = tmp_path_factory.mktemp("demo") / "demo.log"
    folders = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    with ChildProcess("the demo", command, log_path=log, environment=environment, stop_seconds=30) as process:
        yield process.wait_for_line(
            re.compile(
                r"follow docs/walk-through\.md.*\n"
                r"  Airflow  (?P<airflow>\S+)  \(user (?P<user>\S+), password (?P<password>\S+)\)\n"
                r"  SOPS     (?P<sops>\S+)\n"
            ),
            DEMO_SECONDS,
        )


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Pictures:
    return Pictures(request.config.getoption("--pictures") or tmp_path)

"""What Airflow learns of the tab, and what its other programs do not load for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

ROOT = Path(__file__).resolve().parent.parent.parent
STATIC = ROOT / "airflow_provider_sops/plugins/static"
PLUGIN = "airflow_provider_sops.plugins.sops_tab"


def loaded_by(statements: str) -> set[str]:
    """Return the names of all modules that a new interpreter holds after ``statements``."""
    code = f"{statements}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((STATIC / f"texts_{language}.json").read_text(encoding="utf-8"))
    return found


def test_airflow_finds_the_plugin_by_an_entry_point() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert f'[project.entry-points."airflow.plugins"]\nsops_tab = "{PLUGIN}:SopsTabPlugin"' in project


def test_airflow_accepts_the_plugin() -> None:
    from airflow.plugins_manager import AirflowPlugin

    from airflow_provider_sops.plugins.sops_tab import SopsTabPlugin

    plugin: Any = SopsTabPlugin
    plugin.validate()

    assert issubclass(plugin, AirflowPlugin)
    assert {view["destination"] for view in plugin.external_views} == {"dag_run", "task_instance"}
    assert len({view["url_route"] for view in plugin.external_views}) == 2


def test_loading_the_plugin_loads_none_of_the_rest() -> None:
    before = loaded_by("from airflow.plugins_manager import AirflowPlugin")
    added = loaded_by(f"import {PLUGIN}") - before
    ours = {name for name in added if name.startswith("airflow_provider_sops.")}

    assert ours <= {PLUGIN, "airflow_provider_sops.plugins", "airflow_provider_sops.get_provider_info"}
    assert {name for name in added if name.split(".")[0] in ("fastapi", "aiohttp", "requests")} == set()


@pytest.mark.parametrize(
    "kind", ["operators.sops", "sensors.sops", "triggers.sops", "triggers.sops_mirror", "dag_generator"]
)
def test_dag_files_workers_and_triggerers_load_nothing_of_the_tab(kind: str) -> None:
    loaded = loaded_by(f"import airflow_provider_sops.{kind}")

    assert {name for name in loaded if name.startswith("airflow_provider_sops.plugins")} == set()


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 has no UI that could show it")
@pytest.mark.parametrize(
    ("base_url", "root"), [("http://airflow.example", ""), ("https://a.example/air/flow/", "/air/flow")]
)
def test_the_address_follows_the_path_below_which_airflow_is_published(base_url: str, root: str) -> None:
    code = (
        f"import os; os.environ['AIRFLOW__API__BASE_URL'] = {base_url!r}\n"
        f"from {PLUGIN} import SopsTabPlugin\nprint(SopsTabPlugin.external_views[0]['href'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert done.stdout.splitlines()[-1] == f"{root}/sops/dags/{{DAG_ID}}/page?run_id={{RUN_ID}}"


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    english, chinese = texts("en"), texts("zh")

    assert english.keys() == chinese.keys()
    places = {
        key: (set(re.findall(r"\{\w+\}", english[key])), set(re.findall(r"\{\w+\}", chinese[key]))) for key in english
    }
    assert {key: both for key, both in places.items() if both[0] != both[1]} == {}


def test_every_text_that_a_script_asks_for_is_there_and_no_other() -> None:
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    known = texts("en")
    asked = set(re.findall(r'(?<![\w.])t\("([^"]+)"', scripts))
    # Those whose names a script puts together, or chooses among.
    quoted = set(re.findall(r'"([a-z_]+)"', scripts))
    families = ("ask.", "do.", "kind.", "state.")

    assert asked <= known.keys()
    assert {key for key in known if key not in quoted and not key.startswith(families)} == set()

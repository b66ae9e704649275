"""The page of the metrics, the dashboard and the mapping for StatsD know the metrics that the code sends."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from airflow_provider_sops.metrics import METRICS, RESULTS, Metric
from tests.docs.pages import ROOT, Page

PAGE = Page(ROOT / "docs/metrics.md")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
#: What Prometheus makes of the names, by kind: of a timer a native histogram, or the three series of a classic one.
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "timer": ("_milliseconds", *(f"_milliseconds_{part}" for part in ("bucket", "sum", "count"))),
}
SHOWN = [metric for metric in METRICS if metric.name.startswith("sops.")]


def prometheus_names(metric: Metric) -> set[str]:
    return {f"airflow_{metric.name.replace('.', '_')}{suffix}" for suffix in SUFFIXES[metric.kind]}


def metric_of(name: str) -> Metric:
    """Return the metric of a name in a query; fails if the code sends none."""
    (found,) = [metric for metric in METRICS if name in prometheus_names(metric)]
    return found


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this heading."""
    lines = iter(PAGE.path.read_text().splitlines())
    next(line for line in lines if line.startswith(f"| {heading} |"))
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_page_has_each_metric_with_its_kind_and_tags() -> None:
    documented = {
        (name.strip("`"), kind, tuple(re.findall(r"`([a-z]+)`", tags))) for name, kind, tags, _ in rows("Metric")
    }

    assert documented == {(metric.name, metric.kind, metric.tags) for metric in METRICS}


def test_the_page_explains_each_result() -> None:
    assert [name.strip("`") for name, _ in rows("`result`")] == list(RESULTS)


@pytest.mark.parametrize("query", QUERIES)
def test_the_dashboard_asks_for_what_the_code_sends(query: str) -> None:
    names = re.findall(r"airflow_\w+", query)
    metrics = [metric_of(name) for name in names]
    known_tags = {tag for metric in metrics for tag in metric.tags}
    asked = {tag.strip() for group in re.findall(r"by \(([^)]*)\)", query) for tag in group.split(",")}
    asked |= set(re.findall(r"[{,]\s*(\w+)\s*[!=]", query))

    assert names
    assert asked - {"le"} <= known_tags
    for value in re.findall(r'result!?="(\w+)"', query):
        assert value in RESULTS


def test_the_first_outage_of_a_series_is_shown() -> None:
    """A series begins with its first outage, so for increase() nothing has grown."""
    assert not [query for query in QUERIES if "outage" in query and ("increase" in query or "rate(" in query)]


@pytest.mark.parametrize("metric", SHOWN, ids=lambda metric: metric.name)
def test_the_dashboard_shows_each_metric_of_sops(metric: Metric) -> None:
    assert any(name in query for name in prometheus_names(metric) for query in QUERIES)


def test_panels_do_not_overlap_and_name_no_database_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert {each["datasource"]["uid"] for each in (panel, *panel["targets"])} == {"${datasource}"}


def test_the_mapping_makes_the_names_of_the_dashboard_out_of_plain_statsd() -> None:
    (block,) = [block for block in PAGE.code_blocks if block.language == "yaml"]
    mappings = {each["match"]: each for each in yaml.safe_load(block.text)["mappings"]}

    assert set(mappings) == {".".join(("airflow", metric.name, *"*" * len(metric.tags))) for metric in SHOWN}
    for metric in SHOWN:
        mapping = mappings[".".join(("airflow", metric.name, *"*" * len(metric.tags)))]
        assert mapping["name"] == f"airflow_{metric.name.replace('.', '_')}{SUFFIXES[metric.kind][0]}"
        assert mapping.get("labels", {}) == {tag: f"${number}" for number, tag in enumerate(metric.tags, 1)}
        assert mapping.get("scale") == (1000 if metric.kind == "timer" else None)

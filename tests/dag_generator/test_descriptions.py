"""What Airflow shows of a flow beside the names of its tasks."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from airflow.serialization import serialized_objects
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from airflow_provider_sops.dag_generator import ConverterRegistry, SopsDag, SopsTaskGroup
from airflow_provider_sops.dag_generator.descriptions import MOST_DESCRIBED_NODES, escaped
from tests.dag_generator.flow_trees import GATEWAYS, required, short, tree
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import activity, constant, password, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.dag_generator.options import Mode
    from tests.pipeline_trees.blocks import Flow

HOSTILE = "<script>alert(1)</script> [x](javascript:1) `a` | {{ 1 }} ![b](c) *d* &lt; \\ \n# e ${f}"


def dag_of(pipeline: Any, mode: Mode = "watch", **arguments: Any) -> SopsDag:
    started = pendulum.datetime(2026, 1, 1, tz="UTC")
    return SopsDag(
        "shown", pipeline=pipeline, mode=mode, schedule=None, start_date=started, **{"template_id": 1, **arguments}
    )


def deploying() -> Any:
    """A flow with a gateway, a subprocess and a stage."""
    inner = tree("s > check > e", nodes={"check": required("check", "bk_http_request")})
    return tree(
        "s > build > p > deploy > v > sub > e",
        "s > build > p > timer > v > sub > e",
        nodes={
            "build": required("build", "job_execute_task", stage_name="Stage 1"),
            "p": GATEWAYS["p"],
            "deploy": required("deploy", "job_fast_execute_script", error_ignorable=True),
            "timer": required("timer"),
            "v": GATEWAYS["v"],
            "sub": subprocess("sub", inner, optional=False),
        },
    )


def kinds(dag: SopsDag) -> dict[str, str]:
    return {short(task.task_id): str(task.operator_name) for task in dag.tasks}


def rendered(markdown: str | None) -> str:
    """As Airflow renders it, with raw HTML let through, so that nothing but the text itself protects the page."""
    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown or ""))


def serialised(dag: SopsDag) -> Any:
    # The class that writes a DAG has had this name since Airflow 3.2.
    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    serialization: Any = getattr(serialized_objects, name)
    return serialization.to_dict(dag)


class TestKinds:
    def test_a_watched_flow_shows_what_its_nodes_are(self) -> None:
        assert kinds(dag_of(deploying())) == {
            "start": "flow start",
            "build": "job_execute_task",
            "parallel_gateway": "parallel gateway",
            "deploy": "job_fast_execute_script",
            "timer": "sleep_timer",
            "converge_gateway": "converge gateway",
            "sub.check": "bk_http_request",
            "flow": "flow",
        }

    def test_so_does_one_that_airflow_runs(self) -> None:
        shown = kinds(dag_of(deploying(), "native", converters=ConverterRegistry()))
        assert shown["sub.start"] == "subprocess start"
        assert shown["sub.end"] == "subprocess end"
        assert (shown["start"], shown["end"]) == ("flow start", "flow end")
        assert shown["parallel_gateway"] == "parallel gateway"
        assert shown["deploy"] == "job_fast_execute_script"

    @pytest.mark.parametrize("mode", ["watch", "native"])
    @settings(max_examples=25)
    @given(flow=flows(depth=2))
    def test_no_task_shows_its_class(self, mode: Mode, flow: Flow) -> None:
        dag = dag_of(web_tree(flow), mode)
        assert not {name for name in kinds(dag).values() if "Operator" in name}
        for task in serialised(dag)["dag"]["tasks"]:
            assert "Operator" not in task["__var"].get("_operator_name", "Operator")

    def test_the_operator_of_a_converter_keeps_a_name_that_its_class_has(self) -> None:
        class Named(BaseOperator):
            custom_operator_name = "@named"

        converters = ConverterRegistry()
        converters.register("sleep_timer")(lambda node: Named(**node.task_args))
        dag = dag_of(tree("s > a > e"), "native", converters=converters)
        assert "@named" in kinds(dag).values()


@pytest.mark.parametrize("mode", ["watch", "native"])
def test_the_grid_reads_from_top_to_bottom(mode: Mode) -> None:
    dag = dag_of(deploying(), mode, converters=ConverterRegistry() if mode == "native" else None)
    order = [short(str(child.node_id)) for child in dag.task_group.topological_sort()]
    last = "flow" if mode == "watch" else "end"
    assert order[0] == "start"
    assert order[-1] == last
    places = [order.index(name) for name in ("build", "parallel_gateway", "deploy", "converge_gateway", "sub")]
    assert places == sorted(places)


class TestDocumentation:
    def snapshot(self) -> Any:
        pipeline = deploying()
        pipeline["constants"] = {
            "${env}": constant("${env}", "prod", name="Environment", desc="where"),
            "${pw}": password("${pw}", "hunter2"),
            "${given}": constant("${given}", "default"),
            "${hidden}": constant("${hidden}", "unseen", show_type="hide"),
        }
        pipeline["outputs"] = ["${env}", "${pw}"]
        template = {"id": 12, "name": "Deploy", "source": "business", "bk_biz_id": 2, "project_name": "Shop"}
        return {"pipeline_tree": pipeline, "template": template}

    def test_a_dag_tells_of_its_template_constants_nodes_and_outputs(self) -> None:
        text = dag_of(self.snapshot(), template_id=None, constants={"${given}": "s3cret"}).doc_md
        assert text is not None
        html = re.sub(r"\s*\n\s*", "", rendered(text))
        assert "SOPS template 12: Deploy, project Shop, business 2." in html
        assert "<td>${env}</td><td>Environment</td><td>prod</td><td>where</td>" in html
        assert "<td>${given}</td><td>${given}</td><td>set by this DAG</td>" in html
        assert "<td>build</td><td>job_execute_task</td><td>Stage 1</td>" in html
        assert "<td>sub &gt; check</td><td>bk_http_request</td>" in html
        assert html.count("<h3>") == 3
        for secret in ("hunter2", "s3cret", "${pw}", "unseen"):
            assert secret not in html

    def test_the_template_is_a_link_if_its_page_is_known(self) -> None:
        snapshot = self.snapshot()
        page = "https://sops.example/o/template/view/7/?template_id=12&a=[1](2)*_"
        snapshot["template"] |= {"url": page, "name": "De](javascript:1)ploy"}
        html = rendered(dag_of(snapshot, template_id=None).doc_md)
        assert re.findall(r'<a href="(.*?)">(.*?)</a>', html) == [
            (page.replace("&", "&amp;").replace("[1]", "%5B1%5D"), "template 12: De](javascript:1)ploy")
        ]

    @pytest.mark.parametrize("url", [None, 5, "", "javascript:alert(1)", "https://u@sops.example/", "https://a/ b>c"])
    def test_nothing_but_the_address_of_a_page_becomes_a_link(self, url: Any) -> None:
        snapshot = self.snapshot()
        snapshot["template"]["url"] = url
        text = dag_of(snapshot, template_id=None).doc_md
        assert "<a" not in rendered(text)
        assert "SOPS template 12: Deploy" in (text or "")

    @pytest.mark.parametrize("mode", ["watch", "native"])
    def test_in_a_dag_of_ones_own_the_first_task_tells_of_the_flow(self, mode: Mode) -> None:
        started = pendulum.datetime(2026, 1, 1, tz="UTC")
        with DAG("own", schedule=None, start_date=started) as dag:
            SopsTaskGroup("flow", pipeline=self.snapshot(), mode=mode)
        assert dag.doc_md is None
        assert dag.get_task("flow.start").doc_md == dag_of(self.snapshot(), mode, template_id=None).doc_md

    @pytest.mark.parametrize("mode", ["watch", "native"])
    def test_a_task_tells_of_its_node(self, mode: Mode) -> None:
        dag = dag_of(deploying(), mode, converters=ConverterRegistry() if mode == "native" else None)
        (build,) = (task for task in dag.tasks if short(task.task_id) == "build")
        assert rendered(build.doc_md) == "<p>Id in SOPS: build, stage Stage 1.</p>\n"

    def test_a_task_tells_how_sops_treats_its_node(self) -> None:
        settings: dict[str, Any] = {
            "optional": True,
            "error_ignorable": True,
            "auto_retry": {"enable": True, "interval": 5, "times": 3},
            "timeout_config": {"enable": True, "seconds": 60, "action": "forced_fail"},
            "component": {"code": "x", "version": "v2.0", "data": {}},
        }
        (node,) = (
            task for task in dag_of(tree("s > a > e", nodes={"a": activity("a", **settings)})).tasks if task.doc_md
        )
        assert node.doc_md == (
            "Id in SOPS: a, plugin version v2.0, optional, its failures are ignored,"
            " SOPS retries it 3 times, every 5 s, stopped after 60 s."
        )

    def test_a_gateway_has_no_documentation_since_airflow_shows_what_it_is(self) -> None:
        documented = {short(task.task_id) for task in dag_of(deploying()).tasks if task.doc_md}
        assert documented == {"build", "deploy", "timer", "sub.check"}

    def test_documentation_of_the_author_stays(self) -> None:
        dag = dag_of(deploying(), doc_md="mine", node_args={"build": {"doc_md": "my node"}})
        assert dag.doc_md == "mine"
        assert "my node" in [task.doc_md for task in dag.tasks]

    @given(st.text(st.characters(exclude_categories=())) | st.just(HOSTILE))
    def test_any_text_is_data(self, text: str) -> None:
        shown = escaped(text)
        assert len(shown) <= 80 * 6
        assert not set(shown) & set("<>`*[]{}|\\\n")
        shown.encode() if text.isascii() else None
        html = rendered(f"| a |\n| --- |\n| x{shown} |")
        assert set(re.findall(r"<(\w+)", html)) <= {"table", "thead", "tr", "th", "tbody", "td"}

    def test_hostile_names_are_shown_as_they_are(self) -> None:
        pipeline = tree("s > a > e", nodes={"a": required(HOSTILE[:50], stage_name=HOSTILE)})
        pipeline["constants"] = {"${n}": constant("${n}", HOSTILE, name=HOSTILE, desc=HOSTILE)}
        dag = dag_of(pipeline)
        for text in (dag.doc_md, *(task.doc_md for task in dag.tasks if task.doc_md)):
            assert "<script" not in rendered(text)
            assert "{{" not in (text or "")
            assert not (text or "").endswith(".md")

    def test_a_long_flow_has_short_documentation(self) -> None:
        ids = [f"n{number}" for number in range(MOST_DESCRIBED_NODES + 1)]
        dag = dag_of(tree(" > ".join(["s", *ids, "e"])))
        assert len(dag.doc_md or "") < 20_000
        assert "more are not listed" in (dag.doc_md or "")
        assert not [task.task_id for task in dag.tasks if task.doc_md]
        with_names = len(json.dumps(serialised(dag)))
        for task in dag.tasks:
            vars(task).pop("custom_operator_name")
        dag.doc_md = None
        assert with_names < 1.1 * len(json.dumps(serialised(dag)))

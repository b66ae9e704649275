from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.dag_generator.task_ids import LONGEST_DISPLAY_NAME, TaskName, name_tasks
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.sops.builders import activity, pipeline_tree, subprocess

ID = "n002b2becb8704fb1b6c7fababe2494f"
LEGAL = re.compile(r"[A-Za-z0-9_.-]{1,250}")
HOSTILE = [
    "部署😀",
    "'\"`",
    "{{ ti.task_id }}",
    "{% raw %}",
    "${name}",
    "<script>alert(1)</script>",
    "a/b\\c",
    "x" * 10_000,
    "\x00\n\u202e",
    "\ud800",
    "..",
    "__",
]


def named(*nodes: tuple[str, Any], group_id: str = "") -> dict[tuple[str, ...], TaskName]:
    ways = " > ".join(node_id for node_id, _ in nodes)
    return name_tasks(PipelineTree(pipeline_tree(f"start > {ways} > end", nodes=dict(nodes))), group_id)


def task_id(name: str, plugin: str = "bk_display") -> str:
    return named((ID, activity(name, plugin)))[ID,].task_id


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("deploy web", "deploy_web__abe2494f"),
        ("deploy-web_2", "deploy-web_2__abe2494f"),
        ("Café  ＡＢ", "Cafe_AB__abe2494f"),
        ("部署 web-01 服务", "web-01__abe2494f"),
        ("部署服务", "bk_display__abe2494f"),
        ("", "bk_display__abe2494f"),
        ("a.b", "a_b__abe2494f"),
        ("{{ x }}", "x__abe2494f"),
        ("x" * 100, f"{'x' * 50}__abe2494f"),
    ],
)
def test_an_id_is_the_readable_part_of_the_name_and_the_end_of_the_id(name: str, expected: str) -> None:
    assert task_id(name) == expected


def test_gateways_and_events_are_called_by_their_kind() -> None:
    tree = pipeline_tree("s1 > p > a > v > e1", nodes={"p": "ConditionalParallelGateway", "v": "ConvergeGateway"})
    names = name_tasks(PipelineTree(tree))

    assert [names[key,].task_id for key in ("s1", "p", "v", "e1")] == [
        "start_event__s1",
        "conditional_parallel_gateway__p",
        "converge_gateway__v",
        "end_event__e1",
    ]
    assert names["p",].display_name == "conditional parallel gateway"


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_the_name_the_id_is_legal_and_the_name_is_displayed_as_it_is(name: str) -> None:
    known = named((ID, activity(name)))[ID,]

    assert LEGAL.fullmatch(known.full_task_id)
    assert len(known.display_name) <= LONGEST_DISPLAY_NAME
    assert "\0" not in known.display_name
    assert known.display_name == name or name in ("\x00\n\u202e", "\ud800", "x" * 10_000)


def test_inside_a_subprocess_ids_stand_behind_those_of_the_groups() -> None:
    inner = pipeline_tree("s2 > x > e2", nodes={"x": activity("inner")})
    names = named(("s", subprocess("outer", inner)), group_id="mine")

    assert names["s",] == TaskName("outer__s", "mine.outer__s", "outer")
    assert names["s", "x"] == TaskName("inner__x", "mine.outer__s.inner__x", "inner")


def test_ids_that_would_be_alike_are_told_apart() -> None:
    names = named(("n1-12345678", activity("same")), ("n2-12345678", activity("same")))
    ids = {names[key,].task_id for key in ("n1-12345678", "n2-12345678")}

    assert len(ids) == 2
    assert all(re.fullmatch(r"same__[0-9a-f]{8}", each) for each in ids)


def test_no_group_deeper_down_is_called_like_one_at_the_top() -> None:
    """Airflow 2 would take them for the same group."""
    inner = pipeline_tree("s2 > call > e2", nodes={"call": subprocess("call", pipeline_tree("s3 > x > e3"))})

    names = named(("call", subprocess("call", inner)))

    assert names["call",].task_id == "call__call"
    assert names["call", "call"].task_id.startswith("call__")
    assert names["call", "call"].task_id != "call__call"


def test_an_id_does_not_change_when_other_nodes_come_and_go() -> None:
    alone = named((ID, activity("deploy")))[ID,]
    among = named(("n1", activity("deploy")), (ID, activity("deploy")), ("n2", activity("x")))[ID,]

    assert alone == among


def nested(depth: int) -> Any:
    tree = pipeline_tree("s > a > e", nodes={"a": activity("y" * 50)})
    for _ in range(depth):
        tree = pipeline_tree("s > n12345678 > e", nodes={"n12345678": subprocess("x" * 50, tree)})
    return tree


@pytest.mark.parametrize(("depth", "group_id"), [(0, "g" * 200), (3, "g" * 100), (5, ""), (6, "")])
def test_with_all_groups_around_it_an_id_stays_short_enough(depth: int, group_id: str) -> None:
    names = name_tasks(PipelineTree(nested(depth)), group_id)

    assert all(LEGAL.fullmatch(name.full_task_id) for name in names.values())
    assert len({name.full_task_id for name in names.values()}) == len(names)


def test_where_groups_leave_no_room_the_error_says_what_to_do() -> None:
    with pytest.raises(SopsInvalidParameterError, match="shorter id"):
        name_tasks(PipelineTree(nested(12)), "g" * 200)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=12), st.text(max_size=80)), min_size=1, max_size=6))
def test_ids_are_legal_and_unique_whatever_names_and_ids_there_are(nodes: list[tuple[str, str]]) -> None:
    tree = pipeline_tree("start > end")
    tree["activities"] = {node_id: {"id": node_id, **activity(name)} for node_id, name in nodes}

    full_ids = [name.full_task_id for name in name_tasks(PipelineTree(tree)).values()]

    assert all(LEGAL.fullmatch(each) for each in full_ids)
    assert len(set(full_ids)) == len(full_ids)

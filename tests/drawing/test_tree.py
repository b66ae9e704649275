from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from hypothesis import given

from airflow_provider_sops.drawing.picture.layout import lay_out
from airflow_provider_sops.drawing.tree import draw, figures_of, lines_of
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from tests.pipeline_trees.blocks import Loop, Parallel, Sub, Task
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import activity, pipeline_tree, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.drawing.picture.figures import Box
    from airflow_provider_sops.drawing.picture.layout import Layout
    from tests.pipeline_trees.blocks import Flow

SVG = "{http://www.w3.org/2000/svg}"
T = Task()


def drawn(tree: Any, **arguments: Any) -> ElementTree.Element:
    return ElementTree.fromstring(draw(PipelineTree(tree), **arguments))


def nodes_of(picture: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """The nodes by the first line of their title: the name, or the kind of a nameless one."""
    groups = [group for group in picture.iter(f"{SVG}g") if "node" in (group.get("class") or "").split()]
    return {(group.findtext(f"{SVG}title") or "").splitlines()[0]: group for group in groups}


def texts(picture: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def boxes(tree: Any) -> dict[str, Box]:
    return dict(layout_of(tree).boxes)


def layout_of(tree: Any) -> Layout:
    level = PipelineTree(tree).levels[()]
    return lay_out(figures_of(level, {}), lines_of(level))


def placed(**places: tuple[Any, Any]) -> Any:
    """The tree of two nodes with canvas positions."""
    location = [{"id": key, "type": "tasknode", "x": x, "y": y} for key, (x, y) in places.items()]
    return pipeline_tree("start > a > b > end", location=location)


def test_every_node_is_drawn_with_name_and_plugin() -> None:
    picture = drawn(pipeline_tree("start > a > end", nodes={"a": activity("部署", "bk_display")}))

    assert set(nodes_of(picture)) == {"EmptyStartEvent", "部署", "EmptyEndEvent"}
    assert texts(picture) == ["部署", "bk_display"]


def test_the_title_is_the_heading() -> None:
    picture = drawn(pipeline_tree("start > a > end"), title="Deploy <now>")

    assert texts(picture)[0] == "Deploy <now>"
    assert picture.findtext(f"{SVG}title") == picture.get("aria-label") == "Deploy <now>"


def test_a_subprocess_is_marked_and_its_inside_is_a_picture_of_its_own() -> None:
    tree = pipeline_tree("start > s > end", nodes={"s": subprocess("sub", pipeline_tree("s2 > inside > e2"))})

    assert len(nodes_of(drawn(tree))["sub"].findall(f"{SVG}rect")) == 2
    assert "inside" in nodes_of(drawn(tree, path=("s",)))
    with pytest.raises(KeyError):
        drawn(tree, path=("nobody",))


@pytest.mark.parametrize(
    ("state", "style"),
    [
        ("FINISHED", "done"),
        ("FAILED", "failed"),
        ("RUNNING", "going"),
        ("SUSPENDED", "held"),
        ("NOT_TAKEN", "passed"),
        ("BLOCKED", "plain"),
    ],
)
def test_a_state_shows_in_colour_sign_and_words(state: str, style: str) -> None:
    node = nodes_of(drawn(pipeline_tree("start > a > end"), states={("a",): state}))["a"]

    assert style in (node.get("class") or "").split()
    assert state in (node.findtext(f"{SVG}title") or "")
    assert any(path.get("class") == "mark" for path in node.iter(f"{SVG}path")) is (style != "plain")


def test_conditions_are_written_beside_their_lines() -> None:
    tree = pipeline_tree("start > e > a > end", "start > e > b > end", nodes={"e": "ExclusiveGateway"})
    tree["gateways"]["e"]["conditions"] = {"e-a": {"evaluate": "${x} > 1", "name": "high"}}

    assert "high: ${x} > 1high" in texts(drawn(tree))


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><g onload="x">',
        "]]>&amp;",
        "a\x00b\x1b[31m",
        "\ud800",
        "\u202ereversed",
        "x" * 10_000,
        "{{ x }} ${x}",
    ],
)
def test_whatever_a_node_is_called_the_picture_is_a_picture(name: str) -> None:
    tree = pipeline_tree("start > a > e > end", nodes={"a": activity(name, name), "e": "ExclusiveGateway"})
    tree["gateways"]["e"].update(name=name, conditions={"e-end": {"evaluate": name, "name": name}})
    text = draw(PipelineTree(tree), title=name)
    picture = ElementTree.fromstring(text.encode())

    assert not [element for element in picture.iter() if element.tag in (f"{SVG}script", f"{SVG}image", f"{SVG}a")]
    assert not [key for element in picture.iter() for key in element.attrib if key.startswith("on") or "href" in key]
    assert len(text) < 20_000


def test_a_long_name_is_cut_and_shown_whole_when_pointed_at() -> None:
    picture = drawn(pipeline_tree("start > a > end", nodes={"a": activity("部署到生产环境的所有服务器上")}))

    assert texts(picture)[0] == "部署到生产环境的…"
    assert "部署到生产环境的所有服务器上" in nodes_of(picture)


def test_nodes_are_where_the_editor_has_them() -> None:
    places = boxes(placed(start=(20, 105), a=(200, 100), b=("500", 300.5), end=(900, 105)))

    assert (places["a"].x, places["a"].y) == (275, 127)
    assert (places["b"].x, places["b"].y) == (575, 327.5)
    assert (places["start"].x, places["start"].y) == (42, 127)


def test_nodes_that_stand_too_close_are_moved_apart() -> None:
    places = boxes(placed(start=(0, 105), a=(100, 100), b=(250, 100), end=(400, 105)))

    assert places["start"].x < places["a"].x < places["b"].x < places["end"].x
    assert not overlapping(places)


@pytest.mark.parametrize(
    "tree",
    [
        placed(start=(20, 105), a=(200, 100), b=(500, 100)),
        placed(start=(20, 105), a=(200, 100), b=(200, 100), end=(900, 105)),
        placed(start=(20, 105), a=(200, 100), b=("far", None), end=(900, 105)),
        placed(start=(20, 105), a=(200, 100), b=(float("nan"), 1), end=(900, 105)),
        placed(start=(0, 0), a=(1, 1), b=(2, 2), end=(3, 3)),
        pipeline_tree("start > a > b > end"),
    ],
    ids=["one is missing", "two in one place", "no number", "nan", "all in a heap", "none"],
)
def test_without_usable_positions_nodes_stand_in_layers(tree: Any) -> None:
    places = boxes(tree)

    assert [places[key].x for key in ("start", "a", "b", "end")] == [100, 350, 600, 850]
    assert len({box.y for box in places.values()}) == 1


def test_no_line_over_several_layers_is_drawn_through_a_node() -> None:
    layout = layout_of(web_tree((Parallel(((T, T, T), (), (T,))),)))
    points = [point for way in layout.ways.values() for point in way]

    assert points
    assert not [
        box
        for box in layout.boxes.values()
        for x, y in points
        if abs(x - box.x) < box.width / 2 and abs(y - box.y) < box.height / 2
    ]


def overlapping(places: dict[str, Box]) -> list[tuple[Box, Box]]:
    return [
        (one, other)
        for one, other in itertools.combinations(places.values(), 2)
        if abs(one.x - other.x) < (one.width + other.width) / 2
        and abs(one.y - other.y) < (one.height + other.height) / 2
    ]


@given(flows())
def test_no_two_nodes_overlap_and_everything_is_inside_the_picture(flow: Flow) -> None:
    tree = web_tree(flow)
    left, top, width, height = map(float, (drawn(tree).get("viewBox") or "").split())
    places = boxes(tree)

    assert not overlapping(places)
    assert all(left < box.x - box.width / 2 and box.x + box.width / 2 < left + width for box in places.values())
    assert all(top < box.y - box.height / 2 and box.y + box.height / 2 < top + height for box in places.values())


@given(flows())
def test_the_same_tree_gives_the_same_picture(flow: Flow) -> None:
    assert draw(PipelineTree(web_tree(flow))) == draw(PipelineTree(web_tree(flow)))


def test_lines_begin_and_end_where_the_editor_attached_them() -> None:
    tree = placed(start=(20, 105), a=(200, 100), b=(500, 300), end=(900, 105))
    tree["line"] = [{"id": "a-b", "source": {"id": "a", "arrow": "Bottom"}, "target": {"id": "b", "arrow": "Left"}}]
    lines = [line.get("points") or "" for line in drawn(tree).iter(f"{SVG}polyline")]

    assert any(line.startswith("275,154 ") and line.endswith(" 500,327") for line in lines)


def test_a_flow_of_200_nodes_with_loops_and_subprocesses_is_drawn() -> None:
    flow = (Parallel(((T, T), (Loop((T, T)),), ())), Sub((T,)), T) * 25

    assert len(nodes_of(drawn(web_tree(flow)))) > 200 - 25


def test_a_tree_without_any_node_is_an_empty_picture() -> None:
    assert drawn({}, title="empty").tag == f"{SVG}svg"

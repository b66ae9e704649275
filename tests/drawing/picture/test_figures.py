from __future__ import annotations

from xml.etree import ElementTree

import pytest

from airflow_provider_sops.drawing.picture import Figure, Line, draw
from airflow_provider_sops.drawing.picture.figures import Shape

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*figures: Figure, lines: tuple[Line, ...] = ()) -> ElementTree.Element:
    return ElementTree.fromstring(draw(figures, lines))


def test_a_figure_leads_where_its_link_says() -> None:
    address = """/?a=1&b='2'"<x>"""
    picture = drawn(Figure("a", Shape.ACTIVITY, link=address), Figure("b", Shape.ACTIVITY))

    (link,) = picture.iter(f"{SVG}a")
    assert link.get("href") == address
    assert [group.get("class") for group in link.iter(f"{SVG}g")] == ["node plain"]
    assert len(list(picture.iter(f"{SVG}g"))) == 2


@pytest.mark.parametrize(("link", "role"), [("", "img"), ("/a", "group")])
def test_only_a_picture_without_links_is_read_out_as_one_image(link: str, role: str) -> None:
    assert drawn(Figure("a", Shape.ACTIVITY, link=link)).get("role") == role


def test_the_chosen_figure_is_marked() -> None:
    picture = drawn(Figure("a", Shape.ACTIVITY, state="FAILED", is_chosen=True), Figure("b", Shape.ACTIVITY))

    assert [group.get("class") for group in picture.iter(f"{SVG}g")] == ["node failed chosen", "node plain"]


@pytest.mark.parametrize("shape", Shape)
def test_every_shape_is_drawn(shape: Shape) -> None:
    (group,) = drawn(Figure("a", shape, name="name")).iter(f"{SVG}g")

    assert any(element.get("class") == "shape" for element in group)


def test_lines_that_lead_back_do_not_push_figures_further() -> None:
    figures = [Figure(name, Shape.ACTIVITY) for name in "abc"]
    lines = tuple(Line(f"{source}{target}", source, target) for source, target in ("ab", "bc", "ca", "bb"))
    picture = drawn(*figures, lines=lines)

    places = [group.get("transform") for group in picture.iter(f"{SVG}g")]
    assert places == ["translate(100 100)", "translate(350 100)", "translate(600 100)"]
    assert len(list(picture.iter(f"{SVG}polyline"))) == 4


def test_a_line_between_figures_whose_tops_the_editor_has_in_one_line_is_straight() -> None:
    shapes = {"a": Shape.START, "b": Shape.ACTIVITY, "c": Shape.EXCLUSIVE, "d": Shape.ACTIVITY}
    figures = [Figure(name, shape, place=(number * 200, 100)) for number, (name, shape) in enumerate(shapes.items())]
    picture = drawn(*figures, lines=(Line("1", "a", "b"), Line("2", "b", "c"), Line("3", "c", "d")))

    lines = [line.get("points") for line in picture.iter(f"{SVG}polyline")]
    assert lines == ["44,122 200,122", "350,117 396,117", "438,117 600,117"]

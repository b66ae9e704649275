"""The Python in the pages runs, and Airflow takes the DAGs that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.serialization import serialized_objects

from tests.docs.dag_files import INSIDE_A_DAG, excerpt_of, load_dag_file, python_blocks, write_dag_file
from tests.docs.pages import PAGES_WITH_OWN_CODE, CodeBlock, Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.providers.common.compat.sdk import DAG

BLOCKS = [block for page in PAGES_WITH_OWN_CODE for block in page.code_blocks if block.language == "python"]
EXCERPTS = [block for block in BLOCKS if excerpt_of(block)]
PAGES_WITH_PYTHON = [page for page in PAGES_WITH_OWN_CODE if python_blocks(page)]


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=str)
def test_airflow_takes_the_python_of_a_page_as_a_dag_file(page: Page, tmp_path: Path) -> None:
    loaded = load_dag_file(write_dag_file(page, tmp_path))

    assert not loaded.errors
    assert loaded.dags, "the page's Python makes no DAG"
    for dag in loaded.dags.values():
        assert serialized(dag)
        assert not list(broken_templates(dag))


def serialized(dag: DAG) -> Any:
    """Return a DAG as Airflow stores it."""
    # The class that writes a DAG has had this name since Airflow 3.2.
    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    return getattr(serialized_objects, name).to_dict(dag)


def broken_templates(dag: DAG) -> Iterator[str]:
    """Yield what Jinja says about texts of template fields that are no templates."""
    jinja = dag.get_template_env()
    for task in dag.tasks:
        for field in task.template_fields:
            for text in texts(getattr(task, field, None)):
                try:
                    jinja.parse(text)
                except Exception as error:  # noqa: BLE001 - whatever it is, the page has to say something else
                    yield f"{task.task_id}, {field}: {error}"


def texts(value: Any) -> Iterator[str]:
    """Yield the texts in a template field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize("block", EXCERPTS, ids=str)
def test_an_excerpt_says_what_the_file_says(block: CodeBlock) -> None:
    file = excerpt_of(block)
    assert file
    source = without_indents(file.read_text(encoding="utf-8"))
    place = 0
    for part in without_indents(block.text).split("\n...\n"):
        place = source.find(part.strip("\n"), place)
        assert place >= 0, f"{block}: {file.name} does not have, or not in this order:\n{part}"


def without_indents(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines()) + "\n"


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_comment_above_a_block_is_one_that_these_tests_understand(block: CodeBlock) -> None:
    assert block.note in ("", INSIDE_A_DAG) or excerpt_of(block)


def page_of(tmp_path: Path, *blocks: str) -> Page:
    path = tmp_path / "page.md"
    path.write_text("# A page\n\n" + "\n".join(blocks), encoding="utf-8")
    return Page(path)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("from airflow_provider_sops.operators.sops import SopsOperator\n", "SopsOperator"),
        ("SopsRunTaskOperator(task_id='a', template_id=1)\n", "name 'SopsRunTaskOperator' is not defined"),
        ("from airflow_provider_sops.dag_generator import SopsDag\nSopsDag('a', pipeline='a.json')\n", "a.json"),
        ("DAG(dag_id='a', ...)\n", "SyntaxError"),
    ],
)
def test_a_mistake_is_told_with_its_line_in_the_page(tmp_path: Path, code: str, error: str) -> None:
    page = page_of(tmp_path, f"```python\n{code}```\n")

    found = load_dag_file(write_dag_file(page, tmp_path)).errors

    assert error in found
    assert f'page.py", line {3 + len(code.splitlines())}' in found


def test_a_block_may_use_what_the_one_before_it_defined_and_stand_inside_a_dag(tmp_path: Path) -> None:
    importing = "```python\nfrom airflow_provider_sops.operators.sops import SopsRunTaskOperator\n```\n"
    using = "```python\nSopsRunTaskOperator(task_id='a', template_id=1, name='{{ no template }')\n```\n"
    page = page_of(tmp_path, importing, f"<!-- {INSIDE_A_DAG} -->\n{using}")

    loaded = load_dag_file(write_dag_file(page, tmp_path))

    assert not loaded.errors
    (dag,) = loaded.dags.values()
    assert dag.task_ids == ["a"]
    assert len(list(broken_templates(dag))) == 1

"""What the tab shows of a SOPS task apart from its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.plugins.known_task import KnownTask
from airflow_provider_sops.sops.models import TaskDetail
from tests.sops.builders import activity, pipeline_tree, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node

CONSTANTS: dict[str, Any] = {
    "${version}": {"value": "1.4.2"},
    "${count}": {"value": 3},
    "${nothing}": {"value": ""},
    "${list}": {"value": ["a"]},
    "${long}": {"value": "x" * 501},
    "${report}": {"value": "", "source_type": "component_outputs"},
    "${secret}": {"value": "geheim", "custom_type": "password"},
    "${nested}": {"value": "${version}"},
}


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Publish?", "Publish?"),
        ("Publish ${version} on ${count} hosts?", "Publish 1.4.2 on 3 hosts?"),
        ("${nothing}", ""),
        ("${nested}", "${version}"),
        ("${unknown} ${list} ${long} ${report} ${secret}", "${unknown} ${list} ${long} ${report} ${secret}"),
        ("${version.upper()} ${", "${version.upper()} ${"),
    ],
)
def test_what_a_person_is_asked_holds_what_the_constants_were_given(title: str, shown: str) -> None:
    known = known_task({"n1": approval(title)})

    assert known.asked(node_that_asks(known)) == {"who": "ann", "what": shown}


def test_inside_a_subprocess_the_constants_of_the_task_say_nothing() -> None:
    inner = pipeline_tree("start > n2 > end", nodes={"n2": approval("Publish ${version}?")})
    known = known_task({"n1": subprocess("release", inner)})

    assert known.asked(node_that_asks(known)) == {"who": "ann", "what": "Publish ${version}?"}


def approval(title: str) -> Any:
    """An approval, as it stands in a tree."""
    found = activity("approve", "bk_approve")
    found["component"]["data"] = {"bk_approve_title": {"value": title}, "bk_verifier": {"value": "ann"}}
    return found


def known_task(nodes: dict[str, Any]) -> KnownTask:
    """A task with one node, ``n1``."""
    tree = pipeline_tree("start > n1 > end", nodes=nodes)
    return KnownTask(TaskDetail.read({"pipeline_tree": tree, "constants": CONSTANTS}))


def node_that_asks(known: KnownTask) -> Node:
    """Its only node that waits for a person."""
    (found,) = (each for each in known.tree.nodes.values() if each.waits_for_person)
    return found

"""What the tab shows of a SOPS task apart from its state."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_sops.plugins.known_task import KnownTask
from airflow_provider_sops.sops.models import TaskDetail
from tests.sops.builders import activity, pipeline_tree

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
    inputs = {"bk_approve_title": {"value": title}, "bk_verifier": {"value": "ann"}}
    approval = activity("approve", "bk_approve")
    approval["component"]["data"] = inputs
    tree = pipeline_tree("start > n1 > end", nodes={"n1": approval})
    known = KnownTask(TaskDetail.read({"pipeline_tree": tree, "constants": CONSTANTS}))
    (node,) = (each for each in known.tree.nodes.values() if each.waits_for_person)

    assert known.asked(node) == {"who": "ann", "what": shown}

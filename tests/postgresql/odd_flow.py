"""A flow whose node returns, or fails with, what JSON can carry and databases refuse; and what becomes of that."""

from __future__ import annotations

from typing import Any

from airflow_provider_sops.service.storable import MOST_LEVELS
from tests.pipeline_trees.blocks import Task
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import constant

TEMPLATE_ID = 9001
NODE_ID = "a1"
#: What is kept of the plugin's output, its nested lists apart; see ``plugins/odd.py``.
KEPT = {
    "nul": "binary ␀ rubbish",
    "key ␀ (2)": 1,
    "key ␀": 2,
    "half a pair": r"disk \ud800 full",
    "reserved": {
        "__classname___": "builtins.int",
        "__version__": 1,
        "__id___": 2,
        "old": {"__type_": "set", "__var": 3},
    },
    "numbers": ["NaN", "Infinity", "-Infinity", f"{10**30}", f"-{10**30}"],
}
KEPT_ERROR = "binary ␀ rubbish"


def odd_template() -> dict[str, Any]:
    """Return the template, as local_sops takes it from a file."""
    tree = web_tree((Task(),))
    node = tree["activities"][NODE_ID]
    node["name"] = "odd \0 name"
    node["component"] = {
        "code": "odd",
        "version": "1.0",
        "data": {"succeed": {"hook": True, "need_render": True, "value": "${succeed}"}},
    }
    common = {"desc": "odd \0", "validation": "", "source_info": {}}
    tree["constants"] = {
        "${succeed}": {**constant("${succeed}", True, index=0), **common},
        "${note}": {**constant("${note}", "note \0 \ud800", index=1), **common},
        "${odd}": {
            **constant("${odd}", index=2, custom_type="", source_tag="", show_type="hide"),
            **common,
            "source_type": "component_outputs",
            "source_info": {NODE_ID: ["odd"]},
        },
    }
    tree["outputs"] = ["${odd}"]
    return {"id": TEMPLATE_ID, "name": "odd \0 flow", "pipeline_tree": tree}


def is_kept(odd: Any) -> bool:
    """Whether a value is what is kept of the plugin's output."""
    rest = {key: value for key, value in odd.items() if key != "deep"}
    deep, levels = odd["deep"], 0
    while isinstance(deep, list):
        (deep,), levels = deep, levels + 1
    return rest == KEPT and levels < MOST_LEVELS and "core" in deep

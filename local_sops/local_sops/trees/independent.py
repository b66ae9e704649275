"""Independent subprocesses: in a task they are activities of the plugin subprocess_plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.trees import Tree

PLUGIN_CODE, PLUGIN_VERSION = "subprocess_plugin", "1.0.0"
_KEPT = frozenset(
    {
        "auto_retry",
        "id",
        "incoming",
        "labels",
        "name",
        "optional",
        "original_template_id",
        "original_template_version",
        "outgoing",
        "stage_name",
        "template_node_id",
        "timeout_config",
    }
)
_PASSED = ("always_use_latest", "scheme_id_list", "template_source", "template_id", "pipeline")


def with_independent_subprocesses(tree: Tree) -> Tree:
    """Turn every SubProcess of a tree, nested ones included, into an activity that starts a task.

    :param tree: a task tree before its ids are renewed: SubProcess nodes carry their ``pipeline``. Not changed.
    """
    activities = {
        key: _as_plugin(node) if node["type"] == "SubProcess" else node for key, node in tree["activities"].items()
    }
    location = [{**place, "type": "tasknode"} if place["type"] == "subflow" else place for place in tree["location"]]
    return {**tree, "activities": activities, "location": location}


def _as_plugin(subprocess: Mapping[str, Any]) -> dict[str, Any]:
    value = {key: subprocess[key] for key in _PASSED if key in subprocess}
    value["pipeline"] = with_independent_subprocesses(_with_origins(subprocess["pipeline"]))
    value["subprocess_name"] = subprocess["name"]
    return {
        "error_ignorable": False,
        # SOPS's own spelling of these defaults; nothing reads them.
        "auto_retry": {"enabled": False, "interval": 0, "times": 1},
        "timeout_config": {"enabled": False, "seconds": 10, "action": "forced_fail"},
        "skippable": True,
        "retryable": True,
        "type": "ServiceActivity",
        "component": {
            "code": PLUGIN_CODE,
            "data": {"subprocess": {"hook": False, "need_render": False, "value": value}},
            "version": PLUGIN_VERSION,
        },
        **{key: value for key, value in subprocess.items() if key in _KEPT},
    }


def _with_origins(tree: Tree) -> Tree:
    """Record the activities' origin: they keep their ids until their own task is created."""
    return {
        **tree,
        "activities": {
            key: {**node, "template_node_id": node.get("template_node_id") or key}
            for key, node in tree["activities"].items()
        },
    }

"""Names as SOPS stores them: without markup characters, and limited in length."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_sops.trees import Tree

MAX_NODE_NAME = 50
_UNSAFE = str.maketrans("", "", "<>$&'\"")


def safe_name(name: str, max_length: int) -> str:
    """Drop unsafe characters and truncate."""
    return name.translate(_UNSAFE)[:max_length]


def with_safe_names(tree: Tree) -> Tree:
    """Clean the names of a tree's activities.

    :param tree: not changed.
    """
    return {
        **tree,
        "activities": {
            key: {**node, "name": safe_name(node["name"], MAX_NODE_NAME)} for key, node in tree["activities"].items()
        },
    }

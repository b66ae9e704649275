"""Add to a tree what is inside its subprocesses, where the tree comes without it.

Old servers answer the outermost level alone, and exports hold each template once.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON, SUBPROCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: How deep subprocesses may be nested. Each level adds three to the JSON of a file, of which ``read_json`` keeps 100.
MOST_LEVELS = 25
#: Characters of JSON that may be added. Templates that call others twice double in size with every level.
MOST_CHARACTERS = 64 * 1024 * 1024
#: What a subprocess counts as at least, since it may cost a request.
_LEAST_CHARACTERS = 4096

_Called = tuple[bool, str]


class Unfolder:
    """Unfolds trees; each template is read once, however many subprocesses call it.

    :param read: returns the tree of a template, given whether it is a common one and its id; ``None`` if there is none,
        and the subprocess then stays folded.
    """

    def __init__(self, read: Callable[[bool, str], Mapping[str, Any] | None]) -> None:
        self._read = read
        self._trees: dict[_Called, Mapping[str, Any] | None] = {}
        self._sizes: dict[_Called, int] = {}

    def unfold(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a tree in which every subprocess holds the flow inside it.

        :raises SopsInvalidParameterError: a template contains itself, or the whole would be too large.
        """
        whole: dict[str, Any] = copy.deepcopy(dict(tree))
        added = 0
        waiting: list[tuple[Mapping[str, Any], tuple[_Called, ...]]] = [(whole, ())]
        while waiting:
            level, around = waiting.pop()
            for activity in read_mapping(level.get("activities")).values():
                if not isinstance(activity, dict) or activity.get("type") != SUBPROCESS:
                    continue
                called = (activity.get("template_source") == COMMON, read_text(activity.get("template_id")))
                _check_depth(called, around)
                if not read_mapping(activity.get("pipeline")):
                    inner = self._tree(called)
                    if inner is None:
                        continue
                    added += self._sizes[called]
                    if added > MOST_CHARACTERS:
                        raise SopsInvalidParameterError(
                            f"the template and its subprocesses have more than {MOST_CHARACTERS >> 20} MiB",
                            advice="Call large templates less often.",
                        )
                    activity["pipeline"] = _with_given_values(inner, read_mapping(activity.pop("constants", None)))
                waiting.append((activity["pipeline"], (*around, called)))
        return whole

    def _tree(self, called: _Called) -> Mapping[str, Any] | None:
        if called not in self._trees:
            self._trees[called] = tree = self._read(*called)
            self._sizes[called] = max(len(json.dumps(tree)), _LEAST_CHARACTERS)
        return self._trees[called]


def _check_depth(called: _Called, around: tuple[_Called, ...]) -> None:
    if called[1] and called in around:
        kind = "common template" if called[0] else "template"
        raise SopsInvalidParameterError(
            f"{kind} {called[1]!r} contains itself", advice="Repair the template in SOPS's editor."
        )
    if len(around) >= MOST_LEVELS:
        raise SopsInvalidParameterError(
            f"subprocesses are nested deeper than {MOST_LEVELS} levels",
            advice="Nest the templates less deeply in SOPS.",
        )


def _with_given_values(inner: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a called template's tree with the values that the calling subprocess gives it."""
    tree: dict[str, Any] = copy.deepcopy(dict(inner))
    constants = read_mapping(tree.get("constants"))
    for key, value in given.items():
        constant = constants.get(key)
        if isinstance(constant, dict) and constant.get("show_type") == "show":
            constant["value"] = read_mapping(value).get("value")
    return tree

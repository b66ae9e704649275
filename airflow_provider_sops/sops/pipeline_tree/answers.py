"""Where in an answer of SOPS, or in a snapshot, the tree stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_sops.service.storable import read_json
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

_ADVICE = (
    "Give a pipeline_tree, a snapshot, or an answer of create_task, get_task_detail, get_template_info or"
    " preview_task_tree."
)


def find_tree(answer: Any) -> Mapping[str, Any]:
    """Return the web tree in something that is one or holds one.

    :param answer: a bare tree, a snapshot, or an answer that holds a tree, whole or its ``data`` alone.
    :raises SopsInvalidParameterError: there is none.
    """
    found = find_holder(answer)
    tree: Mapping[str, Any] = found.get("pipeline_tree", found)
    return tree


def find_holder(answer: Any) -> Mapping[str, Any]:
    """Return the mapping whose ``pipeline_tree`` is the tree, or the bare tree itself.

    :raises SopsInvalidParameterError: there is none.
    """
    if not isinstance(answer, Mapping):
        raise SopsInvalidParameterError(f"a {type(answer).__name__} holds no pipeline_tree", advice=_ADVICE)
    if "pipeline_tree" in answer:
        return {**answer, "pipeline_tree": _read_tree(answer["pipeline_tree"])}
    if "activities" in answer:
        return answer
    if answer.get("result") is False:
        raise SopsInvalidParameterError("this answer is an error of SOPS and holds no pipeline_tree", advice=_ADVICE)
    if isinstance(answer.get("data"), Mapping):
        return find_holder(answer["data"])
    raise SopsInvalidParameterError("this holds no pipeline_tree", advice=_ADVICE)


def _read_tree(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = read_json(value)
        except ValueError:
            raise SopsInvalidParameterError(
                "its pipeline_tree is a text, but no JSON", advice="Ask SOPS without format=yaml."
            ) from None
    if not isinstance(value, Mapping) or "activities" not in value:
        raise SopsInvalidParameterError("its pipeline_tree has no activities", advice=_ADVICE)
    return value

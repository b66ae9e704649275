"""The templates of the suite as one export, in the form in which SOPS itself exports and imports templates.

``python -m tests.contract.export > contract.dat`` writes it to a file, for the import on SOPS's own page.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.contract.server import NOT_IMPORTABLE, OTHER_PROJECTS_TEMPLATE, TEMPLATE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_sops.hooks.sops import SopsHook

#: Templates that no case needs.
_NOT_NEEDED = frozenset(
    {
        "host",
        "http_request",
        "notify",
        "password_everywhere",
        "password_independent",
        "password_leaf",
        "rollout",
        "script",
        "shape_2019",
    }
)
#: What every SOPS adds to the text before it takes the digest, unless its owner has changed the setting.
_SALT = "821a11587ea434eb85c2f5327a90ae54"
_TIME = "2026-01-01 00:00:00 UTC"


def version() -> str:
    """Return a digest of the templates, which is a part of their names: others mean another import."""
    text = json.dumps({name: _file(name) for name in sorted(exported_names())}, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:6]


def exported_names() -> Iterable[str]:
    """Return the templates that the suite brings into the business."""
    left_out = NOT_IMPORTABLE | _NOT_NEEDED | {OTHER_PROJECTS_TEMPLATE}
    return (name for name in TEMPLATE_FILES if name not in left_out)


def bring(hook: SopsHook, names: Iterable[str]) -> dict[str, int]:
    """Return the ids of these templates on a server, and import those that it does not have yet.

    :raises SopsError: the import is refused.
    """
    wanted = {name_on_server(name): name for name in names}

    def there() -> dict[str, int]:
        listed = hook.get_template_list()
        return {wanted[item.name]: item.id for item in listed if item.name in wanted and item.id is not None}

    missing = set(wanted.values()) - set(there())
    if missing:
        hook.import_project_template(export(missing))
    return there()


def name_on_server(name: str) -> str:
    """Return the name that an imported template has, by which it is found again."""
    return f"contract {name} {version()}"


def export(names: Iterable[str]) -> str:
    """Return these templates, and those that they call, as ``import_project_template`` takes them."""
    by_id = {str(_file(name)["id"]): name for name in TEMPLATE_FILES}
    wanted = list(dict.fromkeys(names))
    trees: dict[str, Any] = {}
    refs: dict[str, dict[str, list[str]]] = {}
    for name in wanted:
        tree = trees[name] = copy.deepcopy(_file(name)["pipeline_tree"])
        for node_id, node in tree["activities"].items():
            if node["type"] == "SubProcess":
                called = by_id[node["template_id"]]
                node["template_id"] = _internal_id(called)
                node.pop("template_source", None)
                refs.setdefault(_internal_id(called), {}).setdefault(_internal_id(name), []).append(node_id)
                if called not in wanted:
                    wanted.append(called)
    data = {
        "exporter_version": 1,
        "template_source": "project",
        "template": {str(_file(name)["id"]): _row(name) for name in wanted},
        "pipeline_template_data": {
            "template": {_internal_id(name): _tree(name, trees[name]) for name in wanted},
            "refs": refs,
        },
    }
    # SOPS takes the digest of JSON without blanks and with every slash escaped.
    text = json.dumps(data, sort_keys=True, separators=(",", ":")).replace("/", "\\/")
    digest = hashlib.md5((text + _SALT).encode(), usedforsecurity=False).hexdigest()
    content = json.dumps({"template_data": data, "digest": digest}, sort_keys=True)
    return base64.b64encode(content.encode()).decode()


def _file(name: str) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(TEMPLATE_FILES[name].read_text(encoding="utf-8"))
    return content


def _internal_id(name: str) -> str:
    """Return an id in the form of the engine's."""
    return "n" + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[1:]


def _row(name: str) -> dict[str, Any]:
    return {
        "id": _file(name)["id"],
        "project_id": 1,
        "category": "Default",
        "notify_type": '{"success": [], "fail": []}',
        "notify_receivers": '{"receiver_group": [], "more_receiver": ""}',
        "time_out": 20,
        "is_deleted": False,
        "pipeline_template_id": _internal_id(name),
        "pipeline_template_str_id": _internal_id(name),
    }


def _tree(name: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    schemes = (_file(name).get("schemes") or {}).items()
    return {
        "id": _file(name)["id"],
        "template_id": _internal_id(name),
        "name": name_on_server(name),
        "description": _file(name).get("description", ""),
        "creator": "admin",
        "editor": "admin",
        "create_time": _TIME,
        "edit_time": _TIME,
        "is_deleted": False,
        "schemes": [
            {"id": number, "unique_id": f"contract-{number}", "name": title, "data": json.dumps(nodes)}
            for number, (title, nodes) in enumerate(schemes, start=1)
        ],
        "tree": {**tree, "id": _internal_id(name)},
    }


if __name__ == "__main__":
    sys.stdout.write(export(exported_names()))

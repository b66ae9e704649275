"""Importing templates from an export file of SOPS: import_project_template.

An export is JSON in base64: ``template_data`` and a ``digest`` of it. ``template_data`` has the templates twice: under
``template`` as SOPS's own rows, by the API's id, and under ``pipeline_template_data`` as trees, by the engine's id,
which SubProcess nodes name. Whatever it holds gets new ids, nodes included.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from typing import TYPE_CHECKING, Any

from local_sops.api.call import Code, Refusal, success
from local_sops.trees.identity import new_ids_of, with_new_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_sops.api.call import Answer, Call
    from local_sops.template_folder import Template

_SALTS = ("821a11587ea434eb85c2f5327a90ae54", "e5483c1ccde63392bd439775bba6a7ae")
"""What SOPS adds to the text before it takes the digest: today's value and the former one, both public."""
_UNREADABLE = "模板解析失败: 文件解析异常"


def import_project_template(call: Call) -> Answer:
    """Create a template of the project for each of an export, and answer their ids and names."""
    if not call.raw_body:
        raise Refusal("invalid json format", Code.BAD_PARAMETER)
    encoded = call.body.get("template_data")
    if not encoded:
        raise Refusal("template data can not be none", Code.BAD_PARAMETER)
    exported = _read(str(encoded))
    try:
        created = _create(call, exported)
    except Exception as error:
        # As on the server, which does not say what is wrong either.
        message = "invalid flow data or error occur, please contact administrator"
        raise Refusal(message, Code.UNKNOWN) from error
    flows = {str(template.id): template.name for template in created}
    return success({"count": len(created), "flows": flows}, message=f"Successfully imported {len(created)} flows")


def _read(encoded: str) -> Mapping[str, Any]:
    """Decode an export and check its digest."""
    try:
        content = json.loads(base64.b64decode(encoded))
        data, digest = content["template_data"], str(content["digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refusal(f"{_UNREADABLE} | read_encoded_template_data", Code.BAD_PARAMETER) from error
    # SOPS writes JSON for the digest without blanks, and with every slash escaped.
    text = json.dumps(data, sort_keys=True, separators=(",", ":")).replace("/", "\\/")
    for salt in _SALTS:
        expected = hashlib.md5((text + salt).encode(), usedforsecurity=False).hexdigest()
        if hmac.compare_digest(expected.encode(), digest.encode()):
            exported: Mapping[str, Any] = data
            return exported
    raise Refusal(f"{_UNREADABLE}, 模板参数非法 | read_encoded_template_data", Code.VALIDATION)


def _create(call: Call, exported: Mapping[str, Any]) -> list[Template]:
    rows = {row["pipeline_template_str_id"]: row for row in exported["template"].values()}
    trees = exported["pipeline_template_data"]["template"]
    new_ids = {str_id: new_ids_of(one["tree"]) for str_id, one in trees.items()}
    created: dict[str, Template] = {}

    def create(str_id: str) -> Template:
        if str_id not in created:
            one, ids = trees[str_id], new_ids[str_id]
            for activity in one["tree"]["activities"].values():
                if activity["type"] == "SubProcess":
                    _name_sources(activity, new_ids[activity["template_id"]])
                    activity["template_id"] = str(create(activity["template_id"]).id)
            created[str_id] = call.state.templates.add(
                name=one["name"],
                project_id=call.project.id,
                creator=call.username,
                category=rows[str_id]["category"],
                description=one["description"],
                schemes={
                    scheme["name"]: {
                        "id": uuid.uuid4().hex,
                        "node_ids": [ids.get(node_id, node_id) for node_id in json.loads(scheme["data"])],
                    }
                    for scheme in one.get("schemes", [])
                },
                tree=with_new_ids(one["tree"], ids=ids, mark_origins=False),
            )
        return created[str_id]

    return [create(str_id) for str_id in rows]


def _name_sources(subprocess: Mapping[str, Any], ids: Mapping[str, str]) -> None:
    """Let the variables that a subprocess passes on name the new ids of the child's nodes."""
    for constant in (subprocess.get("constants") or {}).values():
        constant["source_info"] = {ids[node_id]: keys for node_id, keys in constant["source_info"].items()}

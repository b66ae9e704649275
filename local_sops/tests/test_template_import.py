"""import_project_template, which takes what SOPS exports."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, node_ids
from tree_fixtures import constant, display, tree_of

if TYPE_CHECKING:
    from sops_client import SopsClient

PATH = f"import_project_template/{BUSINESS}"
SALT = "821a11587ea434eb85c2f5327a90ae54"


def exported(**trees: Any) -> dict[str, Any]:
    """What an export holds of some templates; SubProcess nodes name the others by ``internal-<name>``."""
    return {
        "template": {
            str(number): {"id": number, "category": "Default", "pipeline_template_str_id": f"internal-{name}"}
            for number, name in enumerate(trees, start=1)
        },
        "pipeline_template_data": {
            "template": {
                f"internal-{name}": {
                    "template_id": f"internal-{name}",
                    "name": name,
                    "description": "a/b",
                    "tree": tree,
                    "schemes": [{"id": 1, "name": "only a", "data": '["a"]'}],
                }
                for name, tree in trees.items()
            },
            "refs": {},
        },
    }


def encoded(data: dict[str, Any], salt: str = SALT) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":")).replace("/", "\\/") + salt
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return base64.b64encode(json.dumps({"template_data": data, "digest": digest}).encode()).decode()


@pytest.fixture
def parent_and_child() -> dict[str, Any]:
    child = tree_of([display("a", "${said}")], "start>a a>end", constants=[constant("said", "default")])
    passed = constant("said", "passed", source_info={"a": ["bk_display_message"]})
    calling = {"type": "SubProcess", "template_id": "internal-child", "constants": {"${said}": passed}}
    subprocess = {**display("sub"), **calling}
    del subprocess["component"]
    return exported(parent=tree_of([subprocess], "start>sub sub>end"), child=child)


@pytest.mark.parametrize("salt", [SALT, "e5483c1ccde63392bd439775bba6a7ae"], ids=["today's", "the former one"])
def test_each_becomes_a_template_with_ids_of_its_own(
    sops: SopsClient, parent_and_child: dict[str, Any], salt: str
) -> None:
    answer = sops.post(PATH, {"template_data": encoded(parent_and_child, salt)})
    assert (answer["result"], answer["data"]["count"]) == (True, 2)
    ids = {name: int(template_id) for template_id, name in answer["data"]["flows"].items()}
    (scheme,) = sops.get(f"get_template_schemes/{BUSINESS}/{ids['child']}")["data"]
    (node_id,) = sops.get(f"get_template_info/{ids['child']}/{BUSINESS}")["data"]["pipeline_tree"]["activities"]
    assert node_id != "a"
    assert (scheme["name"], json.loads(scheme["data"])) == ("only a", [node_id])
    created = sops.run(ids["parent"])
    assert sops.wait(created["task_id"])["state"] == "FINISHED"
    tree = created["pipeline_tree"]
    child = tree["activities"][node_ids(tree)["sub"]]["pipeline"]
    assert child["constants"]["${said}"]["value"] == "passed"


def test_an_export_that_was_changed_is_refused(sops: SopsClient, parent_and_child: dict[str, Any]) -> None:
    answer = sops.post(PATH, {"template_data": encoded(parent_and_child, "another salt")})
    assert (answer["result"], answer["code"]) == (False, 3546100)


@pytest.mark.parametrize(
    ("body", "code"), [({}, 3540000), ({"template_data": "nonsense"}, 3540000)], ids=["nothing", "no export"]
)
def test_what_is_no_export_is_refused(sops: SopsClient, body: dict[str, Any], code: int) -> None:
    answer = sops.post(PATH, body)
    assert (answer["result"], answer["code"]) == (False, code)


def test_a_reference_to_a_template_that_is_not_there_is_refused(
    sops: SopsClient, parent_and_child: dict[str, Any]
) -> None:
    del parent_and_child["pipeline_template_data"]["template"]["internal-child"]
    answer = sops.post(PATH, {"template_data": encoded(parent_and_child)})
    assert (answer["result"], answer["code"]) == (False, 3599999)

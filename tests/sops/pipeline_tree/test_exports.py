from __future__ import annotations

import base64
import json
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import exports
from airflow_provider_sops.sops.pipeline_tree.content import content_hash
from airflow_provider_sops.sops.pipeline_tree.exports import Export, read_export
from tests.pipeline_trees.blocks import Sub, Task
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import password

T = Task()


def full_json() -> Any:
    """Two templates, of which one calls the other, as SOPS's export has them."""
    outer, inner = web_tree((T, Sub((T,)))), web_tree((T, T))
    del outer["activities"]["s3"]["pipeline"]
    outer["activities"]["s3"]["template_id"] = "ninner"
    outer["constants"] = {"${pw}": password("${pw}", "hunter2")}
    flows = {"nouter": ("deploy", outer), "ninner": ("restart", inner)}
    return {
        "exporter_version": 1,
        "template_source": "project",
        "template": {
            "6": {"id": 6, "pipeline_template_id": "nouter", "project_id": 3},
            "7": {"id": 7, "pipeline_template_id": "ninner", "project_id": 3},
        },
        "pipeline_template_data": {
            "refs": {"ninner": {"nouter": ["s3"]}},
            "template": {
                key: {"template_id": key, "name": name, "edit_time": "2021-05-31 11:35:26 UTC", "tree": tree}
                for key, (name, tree) in flows.items()
            },
        },
    }


def dat(data: Any) -> bytes:
    return base64.b64encode(json.dumps({"template_data": data, "digest": "0" * 32}).encode())


YAML = """
schema_version: v1
meta: {name: deploy, id: template1}
spec:
  nodes:
  - {id: n1, type: EmptyStartEvent}
  - id: n2
    type: ServiceActivity
    name: ask
    component:
      code: bk_display
      data:
        bk_display_message: {name: message, key: '${message}', value: hello, type: textarea}
        other: {value: plain}
    output:
      _result: {name: result, key: '${done}', hide: true}
    can_skip: false
  - id: n3
    type: ExclusiveGateway
    conditions:
      n4: {evaluate: '${done} == True', name: good}
    default_condition:
      n5: {name: bad}
    next: [n4, n5]
  - id: n4
    type: SubProcess
    name: restart
    template_id: template2
    data:
      ${given}: {value: plain}
      ${asked}: {name: asked, key: '${asked}', value: '1', type: input}
    next: [n5]
  - {id: n5, type: EmptyEndEvent}
  constants:
    ${pw}: {name: password, value: hunter2, type: password}
  outputs: ['${done}']
---
schema_version: v1
meta: {name: restart, id: template2}
spec:
  nodes:
  - {id: m1, type: EmptyStartEvent}
  - id: m2
    type: ServiceActivity
    name: restart
    component: {code: bk_display, data: {bk_display_message: {value: '${given} ${asked}'}}}
  - {id: m3, type: EmptyEndEvent}
  constants:
    ${given}: {name: given, value: own, type: input}
    ${asked}: {name: asked, value: own, type: input}
"""


def yaml(*, old: str = "", new: str = "") -> bytes:
    assert old in YAML
    return YAML.replace(old, new).encode()


def snapshot_of(export: Export, name: str) -> Any:
    return export.snapshot(export.find(name))


@pytest.mark.parametrize("content", [dat(full_json()), json.dumps(full_json()).encode(), b"\xef\xbb\xbf" + dat({})])
def test_a_dat_file_and_the_json_in_it_say_the_same(content: bytes) -> None:
    if content.startswith(b"\xef"):
        content = content[:3] + base64.encodebytes(base64.b64decode(dat(full_json())))
    export = read_export(content)

    assert [(each.key, each.id, each.name) for each in export.templates] == [
        ("nouter", 6, "deploy"),
        ("ninner", 7, "restart"),
    ]
    deploy = snapshot_of(export, "6")
    assert (deploy.template_id, deploy.bk_biz_id, deploy.scope, deploy.template_source) == (
        6,
        "3",
        "project",
        "business",
    )
    assert deploy.edit_time == "2021-05-31 11:35:26 UTC"
    assert deploy.tree.findings == ()


def test_subprocesses_hold_the_flow_that_the_file_has_and_name_it_as_the_api_does() -> None:
    deploy = snapshot_of(read_export(dat(full_json())), "nouter")

    assert deploy.tree.nodes["s3",].template_id == "7"
    assert len(deploy.tree.levels["s3",].nodes) == 4


def test_passwords_of_an_export_are_not_taken_over() -> None:
    for content in (dat(full_json()), yaml()):
        assert all("hunter2" not in json.dumps(each.to_dict()) for each in map(*_snapshots(content)))


def _snapshots(content: bytes) -> Any:
    export = read_export(content)
    return export.snapshot, export.templates


def test_templates_of_an_export_of_common_templates_and_common_ones_in_a_projects_are_common() -> None:
    common, mixed = full_json(), full_json()
    common["template_source"] = "common"
    del mixed["template"]["7"]["project_id"]

    assert [each.is_common for each in read_export(dat(common)).templates] == [True, True]
    assert [each.is_common for each in read_export(dat(mixed)).templates] == [False, True]
    called = snapshot_of(read_export(dat(mixed)), "6").tree.nodes["s3",]
    assert (called.template_id, called.raw["template_source"]) == ("7", "common")


def test_before_3_3_templates_belonged_to_businesses() -> None:
    old = full_json()
    for each in old["template"].values():
        each["business_id"] = each.pop("project_id")

    made = snapshot_of(read_export(dat(old)), "6")

    assert (made.bk_biz_id, made.scope) == ("3", "cmdb_biz")


def test_what_an_export_does_not_have_is_named_with_what_it_has() -> None:
    with pytest.raises(SopsInvalidParameterError, match="no template '8'") as error:
        read_export(dat(full_json())).find("8")

    assert error.value.advice == 'It has: 6 "deploy", 7 "restart".'


def test_a_subprocess_that_the_file_does_not_have_stays_folded() -> None:
    data = full_json()
    del data["pipeline_template_data"]["template"]["ninner"]

    deploy = snapshot_of(read_export(dat(data)), "6")

    assert not deploy.tree.nodes["s3",].unfolded
    assert deploy.tree.nodes["s3",].template_id == "ninner"


def test_yaml_becomes_a_tree_that_sops_would_accept() -> None:
    deploy = snapshot_of(read_export(yaml()), "template1")
    tree = deploy.tree

    assert (deploy.template_id, deploy.template_name, tree.findings) == (None, "deploy", ())
    assert [(edge.source[-1], edge.target[-1], edge.sequence_flow.label) for edge in tree.graph.edges] == [
        ("n1", "n2", ""),
        ("n2", "n3", ""),
        ("n3", "n4", "good"),
        ("n3", "n5", "bad"),
        ("n4", "n5", ""),
        ("m1", "m2", ""),
        ("m2", "m3", ""),
    ]
    assert tree.nodes["n2",].component.data == {
        "bk_display_message": {"hook": True, "need_render": True, "value": "${message}"},
        "other": {"hook": False, "need_render": True, "value": "plain"},
    }
    assert (tree.nodes["n2",].skippable, tree.nodes["n2",].retryable) == (False, True)


def test_yaml_variables_are_those_of_the_nodes_and_the_templates_own() -> None:
    variables = snapshot_of(read_export(yaml()), "template1").tree.variables

    assert {
        key: (each.source_type, each.value, each.is_shown, each.is_output) for key, each in variables[()].items()
    } == {
        "${message}": ("component_inputs", "hello", True, False),
        "${done}": ("component_outputs", "", False, True),
        "${asked}": ("component_inputs", "1", True, False),
        "${pw}": ("custom", "", True, False),
    }
    assert variables[()]["${done}"].source == ("n2",)
    assert {key: each.value for key, each in variables["n4",].items()} == {"${given}": "plain", "${asked}": "${asked}"}


def test_one_constant_of_two_nodes_is_written_once_by_an_alias() -> None:
    aliased = yaml(old="{name: message, key", new="&id001 {name: message, key").replace(
        b"other: {value: plain}", b"other: *id001"
    )

    constant = snapshot_of(read_export(aliased), "template1").tree.levels[()].constants["${message}"]

    assert constant["source_info"] == {"n2": ["bk_display_message", "other"]}


def test_what_is_wrong_with_a_yaml_flow_is_found_in_its_tree() -> None:
    broken = snapshot_of(read_export(yaml(old="next: [n4, n5]", new="next: [n4, nobody]")), "template1")

    assert any("nobody" in finding.message for finding in broken.tree.findings)


def test_dates_and_other_types_that_json_does_not_have_are_texts() -> None:
    dated = yaml(old="{value: plain}", new="{value: 2026-01-02}")

    assert snapshot_of(read_export(dated), "template1").tree.nodes["n2",].component.data["other"]["value"] == (
        "2026-01-02"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"plain: text", "no meta.id or no list spec.nodes"),
        (b"AAAA", "does not hold a JSON object"),
        (b"AAAAA", "not valid base64"),
        (b"{", "not valid JSON"),
        (b"[1]", "no exported templates"),
        (dat({}), "no exported templates"),
        (dat({"pipeline_template_data": {"template": {"n1": {"name": "x"}}}}), "'n1' has no activities"),
        (yaml(old="id: template1", new="no: id"), "no meta.id"),
        (yaml(old="id: m2", new="id: m1"), "a node has no id, or that of another node"),
        (b"a: [", "neither base64, JSON nor valid YAML"),
        (
            b"a: !!python/object/apply:os.system ['true']",
            "has the YAML tag tag:yaml.org,2002:python/object/apply:os.system",
        ),
        (b"a: !!bool maybe", "has the YAML tag tag:yaml.org,2002:bool"),
        (b"a: 1" + b":59" * 1_000_000, "a number has 3000001 characters"),
        (b"- &a [*a]", "neither base64, JSON nor valid YAML"),
        (b"[" + b"a, [" * 200, "not valid JSON"),
        (b"- " * 1000 + b"a", "nested deeper than 100 levels"),
        (b"- a\n" * 1_000_000, "more than 1000000 values"),
        (b"a: 1" + b"0" * 5000, "neither base64, JSON nor valid YAML"),
        (b"? [a]\n: b", "neither base64, JSON nor valid YAML"),
        (b"&a a: " + b"b" * 40 * 1024 * 1024, "larger than 32 MiB"),
    ],
)
def test_what_is_no_export_is_refused_with_a_reason(content: bytes, expected: str) -> None:
    with pytest.raises(SopsInvalidParameterError, match=expected):
        read_export(content)


def test_aliases_that_would_unfold_without_end_are_refused_at_once() -> None:
    laughs = "".join(f"- &a{level + 1} [{', '.join([f'*a{level}'] * 9)}]\n" for level in range(1, 30))
    merged = "".join(f"- &a{level + 1} {{<<: [*a{level}, *a{level}]}}\n" for level in range(1, 60))

    with pytest.raises(SopsInvalidParameterError, match="aliases stand for more than 64 MiB"):
        read_export(f"- &a1 [x]\n{laughs}".encode())
    with pytest.raises(SopsInvalidParameterError, match="aliases stand for more than 64 MiB"):
        read_export(f"- &a1 {{x: 1}}\n{merged}".encode())


def test_a_file_that_says_it_is_several_templates_of_one_id_asks_which() -> None:
    data = full_json()
    data["template"]["7"]["id"] = 6

    with pytest.raises(SopsInvalidParameterError, match="several templates '6'"):
        read_export(dat(data)).find("6")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["n1", "n2", "EmptyStartEvent", "SubProcess", "ServiceActivity", "ExclusiveGateway", "t1", "${a}"]
)
ODD_NODE = st.dictionaries(
    st.sampled_from(["id", "type", "name", "component", "data", "output", "conditions", "default_condition", "next"]),
    WORDS | JSON | st.dictionaries(WORDS, JSON | st.dictionaries(st.just("key"), WORDS | JSON)) | st.lists(WORDS),
)
ODD_SPEC = st.dictionaries(st.sampled_from(["constants", "outputs", "dummy_component_inputs"]), JSON)


@given(st.lists(ODD_NODE, max_size=4), ODD_SPEC)
def test_odd_yaml_ends_as_a_named_error_at_worst(nodes: Any, spec: Any) -> None:
    document = {"meta": {"id": "t1", "name": "x"}, "spec": {**spec, "nodes": nodes}}
    _read_all(f"--- {json.dumps(document)}".encode())


@given(st.dictionaries(WORDS, st.fixed_dictionaries({"tree": JSON}, optional={"name": JSON})), JSON)
def test_odd_json_ends_as_a_named_error_at_worst(flows: Any, facts: Any) -> None:
    _read_all(dat({"template": {"1": facts, "2": {"pipeline_template_id": facts}}, "pipeline_template_data": flows}))
    odd = {key: {**flow, "tree": {"activities": {"a": flow["tree"]}}} for key, flow in flows.items()}
    _read_all(dat({"template": {"1": facts}, "pipeline_template_data": {"template": odd}}))


YAML_PARTS = st.lists(
    st.sampled_from(
        [
            "- ",
            "? ",
            ": ",
            "\n",
            "  ",
            "&a ",
            "*a",
            "!!",
            "!",
            "int",
            "null",
            "~",
            "<<",
            "{",
            "}",
            "[",
            "]",
            "'",
            '"',
            "|",
            ">",
            "%",
            "@",
            "---",
            "1:2",
            ".inf",
            "2026-01-02",
            "x",
            ",",
        ]
    ),
    max_size=25,
).map("".join)


@given(YAML_PARTS)
def test_odd_pieces_of_yaml_end_as_a_named_error_at_worst(text: str) -> None:
    _read_all(text.encode())


@given(st.binary(max_size=60))
def test_odd_bytes_end_as_a_named_error_at_worst(content: bytes) -> None:
    _read_all(content)


def _read_all(content: bytes) -> None:
    try:
        export = read_export(content)
    except SopsError:
        return
    for template in export.templates:
        made = export.snapshot(template)
        assert content_hash(made.tree)
        assert isinstance(made.tree.findings, tuple)


def test_the_largest_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MOST_BYTES", len(dat(full_json())))

    assert len(read_export(dat(full_json())).templates) == 2


def test_yaml_in_a_text_with_indentation_of_its_own_is_read() -> None:
    assert len(read_export(textwrap.indent(YAML.split("---")[0], "  ").encode()).templates) == 1

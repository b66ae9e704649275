"""The templates in a YAML export as web trees.

SOPS's YAML is written for people. Nodes stand in a list; one without ``next`` leads to the node after it. A constant
that stands for an input or output of a node is written there, under ``key``. Conditions are listed by the node that
they lead to. Ids of nodes and templates are made for the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.storable import MOST_LEVELS
from airflow_provider_sops.service.text import shown_words
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import nodes as node_types
from airflow_provider_sops.sops.pipeline_tree.node_reading import read_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How large a file may be with all its aliases replaced by what they stand for, in values and characters.
_MOST_EXPANDED = 64 * 1024 * 1024
#: How many values, keys and ends of lists a file may have; a node has about 40.
_MOST_EVENTS = 1_000_000
_LONGEST_NUMBER = 400
_TEXT_TAG = "tag:yaml.org,2002:str"
_ADVICE = "Pass a file that SOPS exported."

_NEW_NAMES = {"ignore_error": "error_ignorable", "can_retry": "retryable", "can_skip": "skippable"}
_ACTIVITY = {"optional": True, "error_ignorable": False, "retryable": True, "skippable": True, "stage_name": ""}
_CONSTANT = {
    "desc": "",
    "validation": "",
    "version": "legacy",
    "is_meta": False,
    "custom_type": "",
    "show_type": "show",
    "value": "",
    "source_tag": "",
    "source_info": {},
}
_FORKING = node_types.FORKS | node_types.DECIDING

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """Reads JSON's types alone. Merged keys, which could grow without limit, stay ordinary ones."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and type
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag.rpartition(":")[2] in ("bool", "float", "int", "null", "str")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: Any) -> None:
        """Merge nothing."""


def _read_number(loader: Any, node: Any) -> Any:
    """Read a number; YAML's numbers to the base of 60 would take quadratic time."""
    if len(node.value) > _LONGEST_NUMBER:
        raise ValueError(f"a number has {len(node.value)} characters")
    return yaml.SafeLoader.yaml_constructors[node.tag](loader, node)


for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _Loader.add_constructor(_tag, _read_number)


def read_documents(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return key, name and tree of each template in a YAML export.

    :raises SopsInvalidParameterError: it is not one.
    """
    found = [_read_document(number, document) for number, document in enumerate(_load(text), 1)]
    if not found:
        raise SopsInvalidParameterError("the file is empty", advice=_ADVICE)
    return found


def _load(text: str) -> list[Any]:
    """Return the documents as JSON values; anything of another type becomes a text."""
    try:
        _check_size(text)
        # A subclass of SafeLoader.
        documents = list(yaml.load_all(text, Loader=_Loader))
        if _expanded_size(documents, {}) > _MOST_EXPANDED:
            raise SopsInvalidParameterError(f"the file's aliases stand for more than {_MOST_EXPANDED >> 20} MiB")
        return read_list(read_json(json.dumps(documents, default=str)))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        words = shown_words(str(error)) or type(error).__name__
        raise SopsInvalidParameterError(f"the file is neither base64, JSON nor valid YAML: {words}") from None


def _check_size(text: str) -> None:
    """Refuse a file before anything is made of it.

    :raises SopsInvalidParameterError: it is nested too deeply, has too many values, or types other than JSON's.
    """
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        # The composer recurses in C, where too many levels end the process.
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_LEVELS:
            raise SopsInvalidParameterError(f"the file is nested deeper than {MOST_LEVELS} levels")
        if getattr(event, "tag", None) not in (None, "!", _TEXT_TAG):
            raise SopsInvalidParameterError(f"the file has the YAML tag {shown_words(event.tag)}", advice=_ADVICE)
        if number > _MOST_EVENTS:
            raise SopsInvalidParameterError(
                f"the YAML has more than {_MOST_EVENTS} values", advice="Export the templates as a .dat file."
            )


def _expanded_size(value: Any, known: dict[int, int]) -> int:
    """Return the size of a value that may hold the same object many times.

    :raises RecursionError: it contains itself.
    """
    if not isinstance(value, (dict, list)):
        return 1 + (len(value) if isinstance(value, str) else 0)
    if id(value) not in known:
        parts = value if isinstance(value, list) else [*value.keys(), *value.values()]
        known[id(value)] = 1 + sum(_expanded_size(part, known) for part in parts)
    return known[id(value)]


def _read_document(number: int, document: Any) -> tuple[str, str, dict[str, Any]]:
    meta, spec = read_mapping(read_mapping(document).get("meta")), read_mapping(read_mapping(document).get("spec"))
    key, name = read_text(meta.get("id")), read_text(meta.get("name"))
    where = f"document {number} of the file"
    if not key or not isinstance(spec.get("nodes"), list):
        raise SopsInvalidParameterError(f"{where} has no meta.id or no list spec.nodes", advice=_ADVICE)
    listed = [read_mapping(node) for node in spec["nodes"]]
    ids = [read_text(node.get("id")) for node in listed]
    if not all(ids) or len(set(ids)) < len(ids):
        raise SopsInvalidParameterError(f"{where}, {name!r}: a node has no id, or that of another node", advice=_ADVICE)
    return key, name, _Tree(listed).web_tree(spec)


class _Tree:
    """Makes the web tree of one template.

    :param listed: its nodes as they stand in the file.
    """

    def __init__(self, listed: list[Mapping[str, Any]]) -> None:
        self._listed = listed
        self._incoming: dict[str, list[str]] = {}
        self._flows: dict[str, dict[str, Any]] = {}
        self._constants: dict[str, dict[str, Any]] = {}
        self._outgoing = {read_text(node.get("id")): self._lead_on(node, place) for place, node in enumerate(listed)}

    def web_tree(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tree.

        :param spec: the template in the file.
        """
        tree: dict[str, Any] = {"activities": {}, "gateways": {}, "line": [], "location": []}
        for node in map(self._node, self._listed):
            match node["type"]:
                case node_types.START_EVENT:
                    tree["start_event"] = node
                case node_types.END_EVENT:
                    tree["end_event"] = node
                case kind if kind.endswith("Gateway"):
                    tree["gateways"][node["id"]] = node
                case _:
                    tree["activities"][node["id"]] = node
        for source_type, field in (("custom", "constants"), ("component_inputs", "dummy_component_inputs")):
            for key, given in read_mapping(spec.get(field)).items():
                self._add_constant({**read_mapping(given), "key": key}, source_type)
        for index, constant in enumerate(self._constants.values()):
            constant["index"] = index
        outputs = read_list(spec.get("outputs"))
        return {**tree, "flows": self._flows, "constants": self._constants, "outputs": outputs}

    def _lead_on(self, node: Mapping[str, Any], place: int) -> dict[str, str]:
        """Add the sequence flows that leave a node; return their ids by the node that they lead to."""
        if "next" in node:
            targets = read_ids(node["next"])
        elif node.get("type") == node_types.END_EVENT:
            targets = ()
        else:
            targets = tuple(read_text(each.get("id")) for each in self._listed[place + 1 : place + 2])
        left = {}
        for target in targets:
            flow_id = f"line{len(self._flows) + 1}"
            self._flows[flow_id] = {
                "id": flow_id,
                "source": read_text(node.get("id")),
                "target": target,
                "is_default": False,
            }
            self._incoming.setdefault(target, []).append(flow_id)
            left[target] = flow_id
        return left

    def _node(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        node_id, kind = read_text(raw.get("id")), read_text(raw.get("type"))
        outgoing = list(self._outgoing[node_id].values())
        node = {_NEW_NAMES.get(name, name): value for name, value in raw.items() if name not in ("next", "output")}
        node |= {
            "id": node_id,
            "type": kind,
            "name": read_text(raw.get("name")),
            "incoming": self._incoming.get(node_id, []),
            # A forking node lists them; a single one is a text, and more than one is a fault to be found.
            "outgoing": outgoing if kind in _FORKING or len(outgoing) > 1 else "".join(outgoing),
        }
        if kind in node_types.DECIDING:
            node |= self._conditions(node_id, raw)
        elif kind == node_types.SUBPROCESS:
            given = self._given(node_id, node.pop("data", None))
            node = {**_ACTIVITY, **node, "constants": given}
        elif kind == node_types.SERVICE_ACTIVITY:
            node = {**_ACTIVITY, **node, "component": self._component(node_id, read_mapping(raw.get("component")))}
        for name, output in read_mapping(raw.get("output")).items():
            self._add_constant(output, "component_outputs", (node_id, name))
        return node

    def _conditions(self, node_id: str, raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        ways = self._outgoing[node_id]
        conditions = read_mapping(raw.get("conditions"))
        yield "conditions", {ways.get(target, target): each for target, each in conditions.items()}
        for target, condition in read_mapping(raw.get("default_condition")).items():
            yield "default_condition", {**read_mapping(condition), "flow_id": ways.get(target, target)}

    def _component(self, node_id: str, component: Mapping[str, Any]) -> dict[str, Any]:
        data = {}
        for name, field in read_mapping(component.get("data")).items():
            given = read_mapping(field)
            if key := self._add_constant(given, "component_inputs", (node_id, name), read_text(component.get("code"))):
                data[name] = {"hook": True, "need_render": True, "value": key}
            else:
                data[name] = {"need_render": True, "value": "", **given, "hook": False}
        return {"version": "legacy", **component, "data": data}

    def _given(self, node_id: str, data: Any) -> dict[str, Any]:
        """Return the values that a subprocess gives to the constants of the flow inside it."""
        values = {}
        for name, field in read_mapping(data).items():
            given = read_mapping(field)
            key = self._add_constant(given, "component_inputs", (node_id, name))
            values[name] = {"value": key or given.get("value", "")}
        return values

    def _add_constant(self, given: Any, source_type: str, source: tuple[str, str] = ("", ""), plugin: str = "") -> str:
        """Add the constant that a part of the file defines, or one more source of it; return its key, if any."""
        fields = dict(read_mapping(given))
        key, (node_id, field) = read_text(fields.get("key")), source
        if not key:
            return ""
        constant = self._constants.get(key)
        if constant is None:
            kind = read_text(fields.pop("type", ""))
            tag = f"{kind}.{kind}" if kind else f"{plugin}.{field}" if plugin else ""
            hidden = {"show_type": "hide"} if fields.pop("hide", False) else {}
            constant = {**_CONSTANT, "custom_type": kind, "source_tag": tag, **hidden, **fields}
            constant |= {"source_type": source_type, "source_info": {}}
            self._constants[key] = constant
        if node_id:
            constant["source_info"].setdefault(node_id, []).append(field)
        return key

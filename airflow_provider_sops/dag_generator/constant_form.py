"""The form field of one constant: its default, its JSON schema, and what people read beside it.

The fields are those of SOPS as far as Airflow has them: choices, text of several lines, whole numbers, checked texts.
Tables, pickers of hosts and the like are JSON. The schema always allows the value that SOPS has stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.storable import storable
from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS

INT = "int"
_TEXTAREA = "textarea"
_DATETIME = "datetime"
_ANY_TYPE = ["null", "string", "number", "boolean", "array", "object"]
#: The types of SOPS form fields that always return one type.
_TYPES = {"input": "string", _TEXTAREA: "string", _DATETIME: "string", INT: "integer"}
#: The largest integer that a browser represents exactly.
_LARGEST_IN_FORM = 2**53 - 1
#: A form with more choices than these is no help, and every DAG run's page would carry them.
_MOST_CHOICES = 500
_LONGEST_DEFINITION = 50_000
_MOST_NAMES = 20
_EMPTY, _NOTHING = "(empty)", "(none)"
_LONGEST_NAME = 60


@dataclass(frozen=True)
class ConstantForm:
    """The form field of a constant.

    :param default: the value that it shows, JSON.
    :param schema: the JSON schema of its values, with Airflow's additions.
    :param description: plain text.
    """

    default: Any
    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True)
class Choices:
    """The choices that a template offers.

    :param texts: what people read, by value.
    :param several: whether several may be chosen.
    """

    texts: Mapping[str, str]
    several: bool


def form_of(raw: Mapping[str, Any]) -> ConstantForm:
    """Return the form field of a constant."""
    choices = choices_of(raw)
    if choices is not None:
        return _choosing(raw, choices)
    default = _default(raw)
    schema = _schema(raw, default)
    hints = [read_text(raw.get("desc")), _hint(raw, default, schema)]
    return ConstantForm(default, schema, "\n".join(filter(None, hints)))


def kept_value(raw: Mapping[str, Any]) -> Any:
    """Return the constant's value; a template stores that of a select or a table next to its definition."""
    value = raw.get("value")
    if not raw.get("is_meta") or not isinstance(value, Mapping):
        return value
    # As SOPS does when it creates a task.
    return value.get("default") or value.get("default_text", value.get("default", ""))


def choices_of(raw: Mapping[str, Any]) -> Choices | None:
    """Return the choices of a constant; ``None`` if it has none, or if only SOPS can fetch them."""
    definition = _definition(raw)
    if "items_text" not in definition or str(definition.get("datasource", "0")) != "0":
        return None
    texts: dict[str, str] = {}
    for item in map(read_mapping, _list_in(definition["items_text"])):
        value = item.get("value")
        if not isinstance(value, str) or value == "":
            # Airflow's forms return only strings as they are.
            return None
        texts.setdefault(read_text(value), read_text(item.get("text")) or read_text(value))
    if not 0 < len(texts) <= _MOST_CHOICES:
        return None
    kept = kept_value(raw)
    several = str(definition.get("type")) == "1" or definition.get("multiple") is True or isinstance(kept, list)
    return Choices(texts, several) if _is_choice(kept, several=several) else None


def _is_choice(kept: Any, *, several: bool) -> bool:
    if several and isinstance(kept, list):
        return all(isinstance(each, str) for each in kept)
    return kept is None or isinstance(kept, str)


def _choosing(raw: Mapping[str, Any], choices: Choices) -> ConstantForm:
    kept, description = storable(kept_value(raw)), read_text(raw.get("desc"))
    if choices.several:
        # SOPS stores what a template has chosen as one text, and takes a text or a list.
        chosen = [each.strip() for each in kept.split(",") if each.strip()] if isinstance(kept, str) else kept or []
        shown: dict[str, Any] = {"examples": _offered(choices, chosen), "values_display": dict(choices.texts)}
        return ConstantForm(chosen, {"type": ["array", "string", "null"], **shown}, description)
    offered = _offered(choices, [] if kept is None else [kept])
    schema: dict[str, Any] = {"type": ["string", "null"]}
    if AIRFLOW_V_3_0_PLUS:
        texts = {"": _EMPTY, "null": _NOTHING, **choices.texts}
        return ConstantForm(kept, {**schema, "enum": [*offered, None], "values_display": texts}, description)
    if kept:
        return ConstantForm(kept, {**schema, "enum": offered, "values_display": dict(choices.texts)}, description)
    # A list of choices in Airflow 2 always has one chosen; a text with proposals may be empty.
    named = (value if text == value else f"{value} ({text})" for value, text in choices.texts.items())
    hints = filter(None, [description, f"One of: {', '.join(named)}"])
    return ConstantForm(kept, {**schema, "examples": list(choices.texts)}, "\n".join(hints))


def _offered(choices: Choices, chosen: list[str]) -> list[str]:
    """Return the choices, and the values that SOPS has stored although they are not among them."""
    return list(dict.fromkeys([*choices.texts, *chosen]))


def _default(raw: Mapping[str, Any]) -> Any:
    """Return the form's value of a constant; a number that SOPS stores as a string becomes a number."""
    value = kept_value(raw)
    if read_text(raw.get("custom_type")) == INT and isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            return None
        return number if abs(number) <= _LARGEST_IN_FORM else None
    if isinstance(value, int) and abs(value) > _LARGEST_IN_FORM:
        return str(value)
    if _columns(raw) and isinstance(value, str) and (rows := _list_in(value)):
        return storable(rows)
    return storable(value)


def _schema(raw: Mapping[str, Any], default: Any) -> dict[str, Any]:
    """Return a param's schema, which always allows its default."""
    kind = read_text(raw.get("custom_type"))
    schema: dict[str, Any] = {"type": _types(kind, default)}
    is_text = isinstance(default, str)
    if (kind == _TEXTAREA and (is_text or default is None)) or (is_text and not {"\n", "\r"}.isdisjoint(default)):
        # A single-line field would drop the other lines.
        schema["format"] = "multiline"
    if isinstance(default, list) and not all(map(_is_one_line, default)):
        # Airflow shows an array without an item type as JSON, otherwise as lines of text.
        schema["items"] = {"title": "any JSON value"}
    pattern = read_text(raw.get("validation"))
    if is_text and pattern:
        # Most constants have none.
        from airflow_provider_sops.dag_generator.safe_patterns import is_safe_pattern

        if is_safe_pattern(pattern):
            if re.search(pattern, default):
                schema["pattern"] = pattern
            elif not default:
                schema["pattern"] = f"^$|{pattern}"
    return schema


def _types(kind: str, default: Any) -> str | list[str]:
    own = _type_of(default)
    field = _TYPES.get(kind)
    if field == "integer" and own == "number":
        return ["number", "null"]
    if field is not None:
        return [field, "null", *({own} - {field, "null"})]
    if default is None or default == "":
        return _ANY_TYPE
    if AIRFLOW_V_3_0_PLUS:
        return [own, *(each for each in _ANY_TYPE if each != own)]
    # Airflow 2 picks the form field by any type it finds, and converts the value to it.
    return own if own == "boolean" else [own, "null"]


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _is_one_line(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value == value.strip() and value.splitlines() == [value]


def _hint(raw: Mapping[str, Any], default: Any, schema: Mapping[str, Any]) -> str:
    """Say what SOPS expects where the field itself does not show it."""
    kind = read_text(raw.get("custom_type"))
    if columns := _columns(raw):
        return f"A table as JSON: a list of objects with {_joined(columns)}."
    if kind == _DATETIME:
        return "A time in the time zone of the SOPS project, like 2026-01-31 18:00:00."
    if isinstance(default, Mapping) and kind not in _TYPES:
        return f"JSON, as SOPS has it for {_short(kind)}: an object with {_joined(list(default))}." if default else ""
    pattern = read_text(raw.get("validation"))
    if pattern and "pattern" not in schema and isinstance(default, str) and len(pattern) <= _LONGEST_NAME:
        return f"SOPS accepts only what matches {pattern}"
    return ""


def _columns(raw: Mapping[str, Any]) -> list[str]:
    """Return the columns of a table, with the names that people read."""
    definition = _definition(raw)
    columns = map(read_mapping, _list_in(definition.get("columns_text", definition.get("columns"))))
    return [
        f"{code} ({name})" if (name := read_text(read_mapping(column.get("attrs")).get("name"))) else code
        for column in columns
        if (code := read_text(column.get("tag_code")))
    ]


def _definition(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition of a select or a table: a template has it as the value, a task in ``meta``."""
    value = read_mapping(raw.get("value")) if raw.get("is_meta") else {}
    return value or read_mapping(read_mapping(raw.get("meta")).get("value"))


def _list_in(value: Any) -> list[Any]:
    """Return a list, which may be given as JSON; empty if there is none."""
    if isinstance(value, str) and len(value) <= _LONGEST_DEFINITION:
        try:
            return read_list(json.loads(value))
        except (ValueError, RecursionError):
            return []
    return read_list(value)


def _joined(names: list[Any]) -> str:
    shown = ", ".join(_short(read_text(name)) for name in names[:_MOST_NAMES])
    return f"{shown}, …" if len(names) > _MOST_NAMES else shown


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"

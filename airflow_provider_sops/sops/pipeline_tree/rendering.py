"""Rendering values of a tree without SOPS, where the result is surely what SOPS would make of them.

SOPS renders ``${...}`` as Mako expressions. Here only bare names are rendered: ``${name}`` alone becomes the variable's
value with its type, within other text the value as text. Everything else (expressions, variables that SOPS computes,
passwords) is left to SOPS.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.variables import EXPRESSION, is_data

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.levels import Level

#: Types of ``custom`` variables whose value stands in the tree; SOPS computes all others.
_PLAIN_TYPES = frozenset({"", "input", "textarea", "int", "datetime"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Names that mean something else to Mako, or to Python inside it.
_RESERVED = frozenset(
    {
        *keyword.kwlist,
        *dir(builtins),
        *("UNDEFINED", "STOP_RENDERING", "context", "loop", "self", "local", "parent", "next", "caller", "capture"),
        *("datetime", "re", "hashlib", "random", "time", "os", "json", "pageargs"),
    }
)


@dataclass(frozen=True)
class KnownValues:
    """What the variables of one level hold in a run, as far as it is known outside of SOPS.

    :param given: definitions that replace those of the tree, by ``${key}``; they are rendered in the same way.
    :param data: values that are not rendered again, by ``${key}``: outputs of nodes, parameters of a subprocess.
    """

    given: Mapping[str, Any] = field(default_factory=dict, repr=False)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


def is_computed(constant: Mapping[str, Any]) -> bool:
    """Whether only SOPS can tell the value of a constant, whatever its text."""
    if is_password(constant):
        return True
    return constant.get("source_type") == "custom" and read_text(constant.get("custom_type")) not in _PLAIN_TYPES


def can_render(value: Any, level: Level, given: Mapping[str, Any] | None = None) -> bool:
    """Whether ``render`` can render a JSON value.

    :param level: the level of the value.
    :param given: as of ``KnownValues``.
    """
    waiting, seen = [value], set[str]()
    while waiting:
        for text in _texts(waiting.pop()):
            for expression in EXPRESSION.findall(text):
                key = f"${{{expression}}}"
                if not _NAME.fullmatch(expression) or expression in _RESERVED:
                    return False
                if key in seen:
                    continue
                seen.add(key)
                if key not in level.constants:
                    continue
                constant = read_mapping(level.constants[key])
                if is_computed(constant):
                    return False
                if not is_data(level, key):
                    waiting.append((given or {}).get(key, constant.get("value")))
    return True


def render(value: Any, level: Level, known: KnownValues) -> Any:
    """Render a JSON value as SOPS would; names of variables that do not exist, or have no value yet, stay as they are.

    :raises SopsInvalidParameterError: only SOPS can render it.
    """
    if not can_render(value, level, known.given):
        raise SopsInvalidParameterError(
            f"only SOPS can render {value!r} with the constants that this run was given",
            advice="Pass constants without expressions, or let SOPS run the node: converters=ConverterRegistry().",
        )
    return _render(value, level, known, frozenset())


def _render(value: Any, level: Level, known: KnownValues, inside: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _render(each, level, known, inside) for name, each in value.items()}
    if isinstance(value, list):
        return [_render(each, level, known, inside) for each in value]
    if not isinstance(value, str):
        return value
    keys = {f"${{{expression}}}" for expression in EXPRESSION.findall(value)}
    values = {}
    for key in keys - inside:
        try:
            values[key] = _value_of(key, level, known, inside | {key})
        except KeyError:
            continue
    if value in values:
        return values[value]
    return EXPRESSION.sub(lambda match: str(values.get(match[0], match[0])), value)


def _value_of(key: str, level: Level, known: KnownValues, inside: frozenset[str]) -> Any:
    constant = read_mapping(level.constants[key])
    if key in known.data or is_data(level, key):
        return known.data[key]
    return _render(known.given.get(key, constant.get("value")), level, known, inside)


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each

"""Where the passwords of a SOPS task go, and which of them are known in clear text.

A password's value in the task's tree is mostly what was entered, but newer servers encrypt it there and decrypt it only
for the nodes. A node may also be given a password cut or turned into something else by an expression. So a text of a
node can be shown without its secrets only if each password that the node may have seen is known: from the tree, or by
comparing a rendered input with what stands for it in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.secrets import secret_texts
from airflow_provider_sops.sops.constants import is_password, password_values
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, Gateway, Node
from airflow_provider_sops.sops.pipeline_tree.variables import (
    COMPONENT_OUTPUTS,
    EXPRESSION,
    references,
    secret_inputs,
    secret_variables,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

#: A marked ciphertext, one by its length and alphabet, or what a server shows instead of a value.
_ENCRYPTED = re.compile(r"[a-z0-9]+_str:::.*|[0-9a-fA-F]{120,}|[0-9A-Za-z+/]{120,}={0,2}|\*+", re.DOTALL)
#: Longer texts and those with more gaps are not compared with what they were rendered from.
_LONGEST_COMPARED = 20_000
_MOST_GAPS = 8
#: SOPS refuses variables that refer to each other in a circle; a tree need not come from it.
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class _Literal:
    """A part of a text that stays as it is."""

    text: str


class _Gap(Enum):
    """A part of a text that SOPS replaces."""

    PLAIN = "a variable that is not secret"
    PASSWORD = "a password that is not known"  # noqa: S105
    MADE_OF_PASSWORD = "a value that contains a password inseparably"  # noqa: S105


_Part = _Literal | _Gap


class PasswordFlow:
    """The way of the passwords through the tree of a SOPS task."""

    def __init__(self, tree: PipelineTree) -> None:
        self._tree = tree
        self._nodes: dict[str, Node] = {node.id: node for node in tree.nodes.values()}
        self._secret: dict[NodeKey, set[str]] = {path: set(keys) for path, keys in secret_variables(tree).items()}
        self._known: dict[NodeKey, dict[str, str]] = {}
        self._opaque: set[NodeKey] = set()
        while self._follow():
            pass

    @property
    def has_unknown(self) -> bool:
        """Whether some password, or what was made of one, is not known in clear text."""
        return bool(self._opaque) or any(keys - self._known[path].keys() for path, keys in self._secret.items())

    def is_unknown(self, key: str) -> bool:
        """Whether a variable of the outermost level may hold a password that is not known."""
        return key in self._secret[()] and key not in self._known[()]

    def is_opaque(self, node_id: str) -> bool:
        """Whether a node may have seen a password that the tree does not tell; so for a node that is not in it."""
        node = self._nodes.get(node_id)
        return self.has_unknown if node is None else node.key in self._opaque

    def secret_inputs(self, node_id: str) -> Collection[str]:
        """Return the names of a node's inputs that may hold a password."""
        node = self._nodes.get(node_id)
        return secret_inputs(node, self._secret[node.key[:-1]]) if isinstance(node, Activity) else ()

    def seen_by(self, node_id: str, rendered: Mapping[str, Any]) -> set[str] | None:
        """Return the secrets in a node's rendered inputs beyond those in the tree; ``None`` if they cannot be told.

        :param rendered: the inputs by name.
        """
        node = self._nodes.get(node_id)
        if not isinstance(node, Activity) or node.component is None:
            return None if self.is_opaque(node_id) else set()
        found: set[str] = set()
        for name in self.secret_inputs(node_id):
            template = read_mapping(node.component.data[name]).get("value")
            values = self._compare(template, rendered.get(name), node.key[:-1])
            if values is None:
                return None
            found |= values
        return found

    def _follow(self) -> bool:
        """Go on from what is known of nodes and variables by now; return whether that has led to more."""
        before = (sum(map(len, self._secret.values())), len(self._opaque))
        for path, level in self._tree.levels.items():
            self._spread(level)
            self._known[path] = self._clear_texts(level)
            self._opaque |= {node.key for node in level.nodes.values() if self._is_opaque(node)}
        for path in self._tree.levels:
            if path and self._secret[path] - self._known[path].keys():
                self._opaque.add(path)
        return before != (sum(map(len, self._secret.values())), len(self._opaque))

    def _spread(self, level: Level) -> None:
        """Add the variables of a level that hold outputs of opaque nodes, and those that are made of such."""
        secret = self._secret[level.path]
        if not self._opaque and not any(self._secret.values()):
            return
        while found := {key for key in level.constants.keys() - secret if self._may_hold(level, key)}:
            secret |= found

    def _may_hold(self, level: Level, key: str) -> bool:
        constant = read_mapping(level.constants[key])
        if constant.get("source_type") == COMPONENT_OUTPUTS:
            sources = [level.nodes.get(read_text(each)) for each in read_mapping(constant.get("source_info"))]
            return any(node is not None and node.key in self._opaque for node in sources)
        return bool(references(constant.get("value")) & self._scope(level, constant))

    def _scope(self, level: Level, constant: Mapping[str, Any]) -> set[str]:
        """Return the secret variables among those that a constant's value refers to."""
        return self._secret[level.path[:-1] if _is_given(level, constant) else level.path]

    def _clear_texts(self, level: Level) -> dict[str, str]:
        """Return the secret variables of which all that is secret is known, with their text."""
        known: dict[str, str] = {}
        found = True
        while found:
            found = False
            for key in self._secret[level.path] - known.keys():
                constant = read_mapping(level.constants[key])
                names = self._known.get(level.path[:-1], {}) if _is_given(level, constant) else known
                text = _clear_text(constant, self._scope(level, constant), names)
                if text is not None:
                    known[key] = text
                    found = True
        return known

    def _is_opaque(self, node: Node) -> bool:
        secret, known = self._secret[node.key[:-1]], self._known[node.key[:-1]]
        if isinstance(node, Gateway):
            return _has_unknown([condition.evaluate for condition in node.conditions.values()], secret, known)
        if isinstance(node, Activity) and node.component:
            return _has_unknown(list(node.component.rendered_values()), secret, known)
        return False

    def _compare(self, template: Any, rendered: Any, path: NodeKey) -> set[str] | None:
        """Return the secrets in a value that the tree does not tell, given what it was rendered from."""
        if not _has_unknown(template, self._secret[path], self._known[path]):
            return set()
        if isinstance(template, str):
            return _compare_text(list(self._parts(template, path)), rendered)
        pairs = _pairs(template, rendered)
        if pairs is None:
            return None
        found = [self._compare(*pair, path) for pair in pairs]
        return None if None in found else {text for part in found for text in part or ()}

    def _parts(self, text: str, path: NodeKey, depth: int = 0) -> Iterator[_Part]:
        """Yield what a text consists of, the variables in it that are made of passwords taken apart themselves."""
        level, secret, known = self._tree.levels[path], self._secret[path], self._known[path]
        position = 0
        for match in EXPRESSION.finditer(text):
            yield _Literal(text[position : match.start()])
            position = match.end()
            key = _bare(match[0])
            constant = read_mapping(level.constants.get(key))
            value = constant.get("value")
            if key in known:
                yield from _parts_of_known(known[key])
            elif references(match[0]).isdisjoint(secret):
                yield _Gap.PLAIN
            elif is_password(constant):
                yield _Gap.PASSWORD
            elif isinstance(value, str) and constant.get("source_type") != COMPONENT_OUTPUTS and depth < _DEEPEST:
                yield from self._parts(value, path[:-1] if _is_given(level, constant) else path, depth + 1)
            else:
                yield _Gap.MADE_OF_PASSWORD
        yield _Literal(text[position:])


def password_texts(constant: Any) -> set[str]:
    """Return the texts that a password's definition holds, without such as only refer to other variables."""
    texts = {text for value in password_values(read_mapping(constant)) for text in secret_texts(value)}
    return {text for text in texts if not EXPRESSION.fullmatch(text.strip())}


def _is_given(level: Level, constant: Mapping[str, Any]) -> bool:
    return bool(level.path) and constant.get("show_type") != "hide"


def _clear_text(constant: Mapping[str, Any], secret: Collection[str], known: Mapping[str, str]) -> str | None:
    """Return a variable's text, in which variables that are no secret may still stand; ``None`` if it is not known."""
    value = constant.get("value")
    if constant.get("source_type") == COMPONENT_OUTPUTS or constant.get("value_emptied"):
        return None
    if is_password(constant):
        texts = secret_texts(value)
        if any(map(_ENCRYPTED.fullmatch, texts)) or (references(value) and not _is_text(value)):
            return None
        value = next(iter(texts), "") if len(texts) <= 1 else value
        if references(value) - known.keys():
            return None
    if _has_unknown(value, secret, known):
        return None
    return EXPRESSION.sub(lambda match: known.get(_bare(match[0]), match[0]), value) if isinstance(value, str) else ""


def _is_text(value: Any) -> bool:
    return len(secret_texts(value)) == 1


def _has_unknown(value: Any, secret: Collection[str], known: Mapping[str, str]) -> bool:
    """Whether a value holds a secret otherwise than as a known text."""
    return any(_is_unknown(expression, secret, known) for text in _texts(value) for expression in _expressions(text))


def _is_unknown(expression: str, secret: Collection[str], known: Mapping[str, str]) -> bool:
    return _bare(expression) not in known and not references(expression).isdisjoint(secret)


def _bare(expression: str) -> str:
    """Return the key of a variable that an expression is, if it is no more than that."""
    return f"${{{expression[2:-1].strip()}}}"


def _expressions(text: str) -> Iterator[str]:
    for match in EXPRESSION.finditer(text):
        yield match[0]


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        else:
            waiting += read_list(each)


def _pairs(template: Any, rendered: Any) -> list[tuple[Any, Any]] | None:
    """Return the parts of two values beside each other; ``None`` if they are not built alike."""
    if isinstance(template, Mapping) and isinstance(rendered, Mapping) and template.keys() == rendered.keys():
        return [(template[name], rendered[name]) for name in template]
    if isinstance(template, list) and isinstance(rendered, list) and len(template) == len(rendered):
        return list(zip(template, rendered, strict=True))
    return None


def _parts_of_known(text: str) -> Iterator[_Part]:
    """Yield the parts of a variable in which all that is secret is known."""
    first, *others = EXPRESSION.split(text)[::2]
    yield _Literal(first)
    for literal in others:
        yield _Gap.PLAIN
        yield _Literal(literal)


def _compare_text(parts: Sequence[_Part], rendered: Any) -> set[str] | None:
    """Return what stands in a rendered text in place of passwords; ``None`` if it could be cut in several ways.

    Were there another way to cut it, the one in which each part is as short as can be would differ from the one in
    which each is as long as can be.
    """
    gaps = [part for part in parts if isinstance(part, _Gap)]
    if _Gap.MADE_OF_PASSWORD in gaps:
        return None
    if gaps == [_Gap.PASSWORD] and not "".join(part.text for part in parts if isinstance(part, _Literal)).strip():
        return secret_texts(rendered)
    if not isinstance(rendered, str) or len(gaps) > _MOST_GAPS or len(rendered) > _LONGEST_COMPARED:
        return None
    cuts = []
    for gap in ("(.*?)", "(.*)"):
        pattern = "".join(gap if isinstance(part, _Gap) else re.escape(part.text) for part in parts)
        cut = re.fullmatch(pattern, rendered, re.DOTALL)
        cuts.append(cut.groups() if cut else None)
    if cuts[0] is None or cuts[0] != cuts[1]:
        return None
    return {text for gap, text in zip(gaps, cuts[0], strict=True) if text and gap == _Gap.PASSWORD}

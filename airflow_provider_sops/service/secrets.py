"""Hide known secrets in everything that is logged or passed on."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What replaces a secret.
HIDDEN = "***"
#: A shorter secret would match everywhere and reveals nothing.
_SHORTEST_WITHIN_TEXT = 3
#: A shorter line of a multi-line secret, for example a bracket, reveals nothing.
_SHORTEST_LINE = 8
#: The backslashes of an escape: each further round of escaping doubles them.
_ESCAPES = r"(?:\\{1,8})"
#: Of a shorter secret too little is left that does not depend on its neighbours; longer ones take too long to find.
_SHORTEST_IN_BASE64, _LONGEST_IN_BASE64 = 6, 200
_BASE64 = "[0-9A-Za-z+/_-]"
_URL_SAFE = str.maketrans("+/", "-_")
_NAMED_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


class Secrets:
    """Values that must not be shown.

    A secret is also found inside longer texts and in escaped form: for a URL, HTML or JSON, as a Python literal, or in
    Base64. A secret of fewer than 3 characters is hidden only where it is the whole value.

    :param values: the secrets, or JSON values that contain them.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._texts = frozenset(text for value in values for text in secret_texts(value))

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._texts)}>"

    def __or__(self, other: Secrets) -> Secrets:
        return Secrets(self._texts | other._texts)

    def hide(self, value: Any) -> Any:
        """Return a JSON value with ``***`` in place of each secret; numbers and object keys included."""
        if not self._texts:
            return value
        if isinstance(value, str):
            return HIDDEN if value in self._texts else self.hide_in(value)
        if isinstance(value, Mapping):
            return {self.hide(key): self.hide(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide(each) for each in value]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return HIDDEN if is_number and str(value) in self._texts else value

    def hide_in(self, text: str) -> str:
        """Return a text with ``***`` in place of each secret."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def occur_in(self, value: Any) -> bool:
        """Whether a JSON value contains a secret."""
        return bool(self.hide(value) != (list(value) if isinstance(value, tuple) else value))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        long = {text for text in self._texts if len(text) >= _SHORTEST_WITHIN_TEXT}
        long |= {line for text in long for line in _lines(text)}
        longest_first = sorted(long, key=lambda text: (-len(text), text))
        plain = ["".join(map(_forms_of, text)) for text in longest_first]
        parts = (part for text in longest_first for part in _in_base64(text))
        encoded = [f"{_BASE64}?{''.join(map(_forms_of, part))}{_BASE64}?" for part in parts]
        return re.compile("|".join([*plain, *encoded])) if long else None


def secret_texts(value: Any) -> set[str]:
    """Return the strings and numbers in a JSON value; of ``{"tag": ..., "value": ...}`` the value alone."""
    if isinstance(value, Mapping):
        inner = [value["value"]] if "value" in value else value.values()
        return {text for each in inner for text in secret_texts(each)}
    if isinstance(value, list | tuple | set | frozenset):
        return {text for each in value for text in secret_texts(each)}
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return set()
    return {str(value)} - {"", HIDDEN}


def _lines(text: str) -> Iterator[str]:
    """Yield other forms of a secret: stripped, and line by line."""
    for part in (text, *text.splitlines()):
        if len(part.strip()) >= (_SHORTEST_LINE if "\n" in text.strip() else _SHORTEST_WITHIN_TEXT):
            yield part.strip()


def _in_base64(text: str) -> Iterator[str]:
    """Yield what Base64 makes of a secret wherever it begins, without characters that depend on its neighbours."""
    octets = text.encode(errors="surrogatepass")
    if not _SHORTEST_IN_BASE64 <= len(octets) <= _LONGEST_IN_BASE64:
        return
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + octets).decode()
        part = encoded[-(-8 * before // 6) : 8 * (before + len(octets)) // 6]
        yield part
        if not part.isalnum():
            yield part.translate(_URL_SAFE)


def _forms_of(character: str) -> str:
    """Return a pattern for a character in every escaped form; each escaping leaves different characters alone."""
    if character.isascii() and character.isalnum():
        return f"(?:{character}|{_percent_encoded(character)})"
    number = ord(character)
    entities = rf"&#0{{0,6}}{number};|&#[xX]0{{0,6}}{_hexadecimal(number, 1)};"
    forms = {
        rf"{_ESCAPES}?(?:{re.escape(character)}|{re.escape(html.escape(character))}|{entities})",
        _percent_encoded(character),
        rf"{_ESCAPES}x{_hexadecimal(number, 2)}",
        rf"{_ESCAPES}U{_hexadecimal(number, 8)}",
        "".join(rf"{_ESCAPES}u{_hexadecimal(unit, 4)}" for unit in _utf16(character)),
    }
    if character in _NAMED_ESCAPES:
        forms.add(_ESCAPES + _NAMED_ESCAPES[character])
    if character == " ":
        forms.add(r"\+")
    if character == "\\":
        forms.add(_ESCAPES)
    return f"(?:{'|'.join(sorted(forms, key=lambda form: (-len(form), form)))})"


def _percent_encoded(character: str) -> str:
    octets = character.encode(errors="backslashreplace")
    return "".join(f"%(?:25){{0,4}}{_hexadecimal(octet, 2)}" for octet in octets)


def _utf16(character: str) -> Iterator[int]:
    """Yield the UTF-16 units by which JSON escapes a character: one, or two beyond U+FFFF."""
    encoded = character.encode("utf-16-be", errors="surrogatepass")
    for position in range(0, len(encoded), 2):
        yield int.from_bytes(encoded[position : position + 2], "big")


def _hexadecimal(number: int, digits: int) -> str:
    """Return a pattern for a hexadecimal number in upper or lower case."""
    return "".join(f"[{digit.lower()}{digit}]" if digit.isalpha() else digit for digit in f"{number:0{digits}X}")

"""Hide known secrets in everything that is logged or passed on."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

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
#: A longer secret, or one beyond so many characters together, is found only as it is and as a URL or JSON writes it:
#: to find each character in every form, a server's secret of 100,000 characters would take 20 s to prepare.
_LONGEST_IN_EVERY_FORM, _MOST_IN_EVERY_FORM = 2_000, 5_000
_BASE64 = "[0-9A-Za-z+/_-]"
_URL_SAFE = str.maketrans("+/", "-_")
_NAMED_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


class Secrets:
    """Values that must not be shown.

    A secret is also found inside longer texts and in escaped form: for a URL, HTML or JSON, as a Python literal, or in
    Base64. A secret of fewer than 3 characters is hidden only where it is the whole value, one of more than 2,000
    not in mixed forms or in Base64.

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
        for form in self._whole:
            text = text.replace(form, HIDDEN)
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def occur_in(self, value: Any) -> bool:
        """Whether a JSON value contains a secret."""
        return bool(self.hide(value) != (list(value) if isinstance(value, tuple) else value))

    @cached_property
    def _sought(self) -> tuple[list[str], set[str]]:
        """The texts to find within others, the longest first, and those of them to find in every form."""
        long = {text for text in self._texts if len(text) >= _SHORTEST_WITHIN_TEXT}
        long |= {line for text in long for line in _lines(text)}
        longest_first = sorted(long, key=lambda text: (-len(text), text))
        return longest_first, _for_every_form(reversed(longest_first))

    @cached_property
    def _whole(self) -> list[str]:
        longest_first, every_form = self._sought
        forms = {form for text in longest_first if text not in every_form for form in _whole_forms_of(text)}
        return sorted(forms, key=lambda form: (-len(form), form))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        longest_first, every_form = self._sought
        texts = [text for text in longest_first if text in every_form]
        plain = ["".join(map(_forms_of, text)) for text in texts]
        parts = (part for text in texts for part in _in_base64(text))
        encoded = [f"{_BASE64}?{''.join(map(_forms_of, part))}{_BASE64}?" for part in parts]
        return re.compile("|".join([*plain, *encoded])) if texts else None


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


def _for_every_form(shortest_first: Iterable[str]) -> set[str]:
    """Return the secrets that are to be found in every form."""
    chosen, characters = set(), 0
    for text in shortest_first:
        characters += len(text)
        if len(text) > _LONGEST_IN_EVERY_FORM or characters > _MOST_IN_EVERY_FORM:
            break
        chosen.add(text)
    return chosen


def _whole_forms_of(text: str) -> set[str]:
    """Return a long secret as it is, and as a URL, JSON or HTML writes it."""
    octets = text.encode(errors="surrogatepass")
    return {
        text,
        quote(octets, safe=""),
        quote(octets),
        quote_plus(octets),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
    }


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

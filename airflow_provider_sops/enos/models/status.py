"""The statuses of flow and task instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.json_text import read_json_as_sent
from airflow_provider_sops.service.reading import OpenEnum, read_list, read_mapping, read_text
from airflow_provider_sops.service.text import word as _word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.storable import Path


class InstanceStatus(OpenEnum):
    """A status as a word; EnOS sends a number, a word, or both.

    Unlisted values are kept: ``InstanceStatus("NONE")``, ``InstanceStatus("42")``.
    """

    FAIL = "FAIL"
    INIT = "INIT"
    SUCCESS = "SUCCESS"
    RUNNING = "RUNNING"
    SUSPEND = "SUSPEND"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    WAIT = "WAIT"
    READY = "READY"
    TIMEOUT = "TIMEOUT"
    CANCEL = "CANCEL"
    RERUN = "RERUN"
    SKIP = "SKIP"

    @classmethod
    def read(cls, number: Any, word: Any = None) -> InstanceStatus:
        """Return the status in an answer.

        The number decides. If it is unknown, the word does, unless that belongs to another number: then the number is
        kept as a string.

        :param number: ``status``; the nodes of a graph have the word there.
        :param word: ``stsDesc`` or ``statusDesc``.
        """
        text, description = _word(read_text(number).strip()), _word(read_text(word).strip()).upper()
        if text in _WORDS:
            return cls(_WORDS[text])
        if not text.lstrip("-").isdigit():
            return cls(text.upper() or description)
        return cls(text if not description or description in cls.__members__ else description)

    @property
    def number(self) -> int | None:
        """EnOS's number of the status; ``None`` for an unknown one."""
        return _NUMBERS.get(self.value)

    @property
    def is_failure(self) -> bool:
        """Whether the instance failed. Not always final: see the module ``verdict``."""
        return self in _FAILURES

    @property
    def is_end(self) -> bool:
        """Whether this may be the instance's end. Not certain for a failure: see the module ``verdict``."""
        return self in _ENDS

    @property
    def is_at_work(self) -> bool:
        """Whether the instance runs, or will run without waiting for others."""
        return self in _AT_WORK


#: "FlowInstanceStatus" of the API's documents.
_NUMBERS = {
    "FAIL": -1,
    "INIT": 0,
    "SUCCESS": 1,
    "RUNNING": 2,
    "SUSPEND": 3,
    "INTERNAL_ERROR": 4,
    "WAIT": 5,
    "READY": 6,
    "TIMEOUT": 7,
    "CANCEL": 8,
    "RERUN": 9,
    "SKIP": 10,
}
_WORDS = {str(number): word for word, number in _NUMBERS.items()}

_FAILURES = frozenset({InstanceStatus.FAIL, InstanceStatus.INTERNAL_ERROR, InstanceStatus.TIMEOUT})
_ENDS = frozenset({*_FAILURES, InstanceStatus.SUCCESS, InstanceStatus.CANCEL, InstanceStatus.SKIP})
_AT_WORK = frozenset({InstanceStatus.RUNNING, InstanceStatus.READY, InstanceStatus.RERUN})

#: The final statuses of an instance.
END_WORDS = tuple(sorted(_ENDS))


def is_word(value: Any) -> bool:
    """Whether a value can be an id or a status: a text that is not blank, or a whole number."""
    return bool(value.strip()) if isinstance(value, str) else type(value) is int


def has_status(data: Mapping[str, Any]) -> bool:
    """Whether data says how an instance is; without that, it says nothing of the instance."""
    return any(is_word(data.get(key)) for key in ("status", "statusDesc", "stsDesc"))


def read_object(data: Any) -> Mapping[str, Any]:
    """Return the one object in an answer's ``data``: documented as a list, sent as an object."""
    return read_mapping(read_list(data)[0]) if read_list(data) else read_mapping(data)


def decode(value: Any) -> Any:
    """Decode JSON in a string, as EnOS sends ``graph``, ``parameters`` and ``runMode``.

    Any other value is returned unchanged.
    """
    return decode_as_sent(value)[0]


def decode_as_sent(value: Any) -> tuple[Any, tuple[Path, ...]]:
    """Decode as ``decode`` does, and return also where something was replaced."""
    if not isinstance(value, str) or not value.strip():
        return value, ()
    try:
        return read_json_as_sent(value)
    except ValueError:
        return value, ()

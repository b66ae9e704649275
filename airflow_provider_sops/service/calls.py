"""Calls of a service as data: written once, used by the blocking hook and by the asynchronous client.

A function that describes a call returns a ``Call``: its name, its parameters and how to read the answer. An operation
that needs several calls (batches, pages) is a generator of calls: it yields one, receives its result, and finally
returns the whole.
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from airflow_provider_sops.service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from airflow_provider_sops.service.answer import Answer
    from airflow_provider_sops.service.errors import InvalidParameterError

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call of a service.

    :param api: its name in the service's table of endpoints.
    :param parameters: by the service's own names; those that are ``None`` are not sent.
    :param read: reads the answer.
    :param fresh: whether to bypass the service's caches.
    """

    api: str
    parameters: Mapping[str, Any] = field(repr=False)
    read: Callable[[Any], T] = field(repr=False)
    fresh: bool = False

    def result(self, answer: Answer) -> T:
        """Read an answer.

        :raises ServiceError: it says nothing that can be used.
        """
        try:
            return self.read(answer)
        except ServiceError:
            raise
        except UnusableDataError as error:
            reason = str(error)
        except Exception as error:
            log.debug("An answer to %s cannot be read", self.api, exc_info=error)
            reason = f"it cannot be read ({type(error).__name__})"
        # Not raised above: the error would keep the reader's, and that the whole answer.
        raise answer.unusable(reason)


#: Several calls that make up one answer.
Steps = Generator[Call[Any], Any, T]


def call(api: str, read: Callable[[Any], T], /, *, fresh: bool = False, **parameters: Any) -> Call[T]:
    """Return a call of which only the answer's ``data`` is read.

    :param read: reads the data.
    """

    def read_answer(answer: Answer) -> T:
        return read(answer.data)

    return Call(api, parameters, read_answer, fresh)


def as_it_is(data: Any) -> Any:
    """Return the data unchanged."""
    return data


def nothing(data: Any) -> None:
    """Return nothing: the answer says only that the call succeeded."""


class UnusableDataError(Exception):
    """An answer's data is not what was asked for; the text says what it is."""


def object_of(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Return a reader of an object that must not be empty, which ``read`` reads.

    :raises UnusableDataError: by the reader: the data is anything else.
    """
    return lambda data: read(needed_object(data))


def list_of(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    """Return a reader of lists of objects, which ``read`` reads.

    :raises UnusableDataError: by the reader: the data is anything else. An empty list may be an answer, ``null`` is not
        one: who takes it for "there are none" may do something twice.
    """
    return lambda data: [read(needed_object(item)) for item in needed_list(data)]


def needed_object(data: Any) -> Mapping[str, Any]:
    """Return data that must be an object and not empty.

    :raises UnusableDataError: it is anything else.
    """
    if isinstance(data, Mapping) and data:
        return data
    raise UnusableDataError(f"it holds {_named(data)} instead of an object")


def needed_list(data: Any) -> list[Any]:
    """Return data that must be a list.

    :raises UnusableDataError: it is anything else.
    """
    if isinstance(data, list):
        return data
    raise UnusableDataError(f"it holds {_named(data)} instead of a list")


def _named(data: Any) -> str:
    """Return what data is, without showing it."""
    if data is None or isinstance(data, bool):
        return json.dumps(data)
    kinds: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    kind = kinds.get(type(data), "a number")
    return f"{kind} without content" if data in ("", [], {}) else kind


def look_up(name: str, endpoints: Mapping[str, T], *, service: str, error: type[InvalidParameterError]) -> T:
    """Return a call's row of a service's table.

    :param service: its name, for the error text.
    :param error: raised if there is no such call; its text names similar ones.
    """
    row = endpoints.get(name)
    if row is not None:
        return row
    # Rarely needed, and DAG files load this module.
    import difflib

    similar = difflib.get_close_matches(str(name), endpoints, n=3)
    advice = f"Did you mean {', '.join(similar)}?" if similar else f"Its calls: {', '.join(sorted(endpoints))}."
    raise error(f"{service} has no call named {name!r}", advice=advice)


P = ParamSpec("P")


class Client(Protocol):
    """A blocking client."""

    def do(self, call: Call[T]) -> T:
        """Make a call and return its result."""


class AsyncClient(Protocol):
    """An asynchronous client."""

    async def do(self, call: Call[T]) -> T:
        """Make a call and return its result."""


def blocking(describe: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    """Return the method of a blocking client that makes one call."""

    @functools.wraps(describe)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.do(describe(*args, **kwargs))

    return _signed(method, describe)


def blocking_steps(describe: Callable[P, Steps[T]]) -> Callable[Concatenate[Client, P], T]:
    """Return the method of a blocking client that makes several calls."""

    @functools.wraps(describe)
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps = describe(*args, **kwargs)
        try:
            call = next(steps)
            while True:
                call = steps.send(self.do(call))
        except StopIteration as end:
            result: T = end.value
            return result

    return _signed(method, describe)


def asynchronous(describe: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """Return the method of an asynchronous client that makes one call."""

    @functools.wraps(describe)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.do(describe(*args, **kwargs))

    return _signed(method, describe)


def asynchronous_steps(
    describe: Callable[P, Steps[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """Return the method of an asynchronous client that makes several calls."""

    @functools.wraps(describe)
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        steps = describe(*args, **kwargs)
        try:
            call = next(steps)
            while True:
                call = steps.send(await self.do(call))
        except StopIteration as end:
            result: T = end.value
            return result

    return _signed(method, describe)


_Method = TypeVar("_Method", bound="Callable[..., Any]")


def _signed(method: _Method, describe: Callable[..., Any]) -> _Method:
    """Return the method with the signature for help and mocks: ``self``, the parameters, and the call's result type.

    Annotations are strings: ``Call[TaskStatus]`` becomes the method's ``TaskStatus``.
    """
    described = inspect.signature(describe)
    brought = str(described.return_annotation).partition("[")[2].removesuffix("]")
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = described.replace(parameters=[itself, *described.parameters.values()], return_annotation=brought)
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method

"""Turn functions that describe calls into methods of a client, with the same parameters and docstring."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from airflow_provider_sops.service.calls import Call, Steps

P = ParamSpec("P")
T = TypeVar("T")


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

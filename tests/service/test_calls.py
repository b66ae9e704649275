"""One description of a call serves a blocking client and an asynchronous one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from airflow_provider_sops.service.answer import Answer
from airflow_provider_sops.service.calls import (
    Call,
    as_it_is,
    asynchronous,
    asynchronous_steps,
    blocking,
    blocking_steps,
    call,
    list_of,
    nothing,
    object_of,
)
from airflow_provider_sops.service.errors import ServiceError, UnusableAnswerError

if TYPE_CHECKING:
    from airflow_provider_sops.service.calls import Steps, T


def get_thing(thing_id: int, *, fresh: bool = False) -> Call[str]:
    """Read a thing."""
    return call("get_thing", str, id=thing_id, fresh=fresh)


def get_things(*thing_ids: int) -> Steps[dict[int, str]]:
    """Read many things, each in a request of its own."""
    things = {}
    for thing_id in thing_ids:
        things[thing_id] = yield get_thing(thing_id)
    return things


def answer_to(done: Call[Any]) -> Answer:
    if done.parameters["id"] < 0:
        raise LookupError("no such thing")
    return Answer(done.parameters["id"] * 10, {})


class BlockingClient:
    def do(self, call: Call[T]) -> T:
        return call.read(answer_to(call))

    get_thing = blocking(get_thing)
    get_things = blocking_steps(get_things)


class AsyncClient:
    async def do(self, call: Call[T]) -> T:
        return call.read(answer_to(call))

    get_thing = asynchronous(get_thing)
    get_things = asynchronous_steps(get_things)


def test_a_blocking_method_does_the_call() -> None:
    assert BlockingClient().get_thing(7) == "70"
    assert BlockingClient().get_things(1, 2) == {1: "10", 2: "20"}
    assert BlockingClient().get_things() == {}


async def test_an_asynchronous_method_does_the_call() -> None:
    assert await AsyncClient().get_thing(7) == "70"
    assert await AsyncClient().get_things(1, 2) == {1: "10", 2: "20"}
    assert await AsyncClient().get_things() == {}


async def test_an_error_of_one_call_ends_them_all() -> None:
    with pytest.raises(LookupError):
        BlockingClient().get_things(1, -1, 2)
    with pytest.raises(LookupError):
        await AsyncClient().get_things(1, -1, 2)


@pytest.mark.parametrize("client", [BlockingClient, AsyncClient])
def test_a_method_shows_the_parameters_and_the_docstring_of_its_call(client: type[Any]) -> None:
    assert str(inspect.signature(client.get_thing)) == "(self, thing_id: 'int', *, fresh: 'bool' = False) -> 'str'"
    assert str(inspect.signature(client.get_things)) == "(self, *thing_ids: 'int') -> 'dict[int, str]'"
    assert client.get_thing.__doc__ == "Read a thing."
    assert inspect.iscoroutinefunction(client.get_thing) is (client is AsyncClient)


def test_a_mock_of_a_client_refuses_what_its_methods_refuse() -> None:
    client = mock.create_autospec(BlockingClient, instance=True)

    client.get_thing(7, fresh=True)
    with pytest.raises(TypeError):
        client.get_thing(7, stale=True)


def test_a_call_is_data() -> None:
    described = get_thing(7, fresh=True)

    assert (described.api, described.parameters, described.fresh) == ("get_thing", {"id": 7}, True)
    assert "7" not in repr(described)


def test_answers_are_read_in_a_few_ways() -> None:
    answer = Answer([{"a": 1}, {"a": 2}], {})

    assert call("x", as_it_is).result(answer) == [{"a": 1}, {"a": 2}]
    assert call("x", list_of(len)).result(answer) == [1, 1]
    assert call("x", object_of(dict)).result(Answer({"a": 1}, {})) == {"a": 1}
    nothings: Call[None] = call("x", nothing)
    assert nothings.result(answer) is None


@pytest.mark.parametrize(
    ("read", "data", "reason"),
    [
        (list_of(len), None, "it holds null instead of a list"),
        (list_of(len), "", "it holds a text without content instead of a list"),
        (list_of(len), [{"a": 1}, 5], "it holds a number instead of an object"),
        (object_of(dict), {}, "it holds an object without content instead of an object"),
        (object_of(dict), [{"a": 1}], "it holds a list instead of an object"),
        (object_of(dict), True, "it holds true instead of an object"),
        (as_it_is, None, ""),
    ],
)
def test_data_that_is_not_what_was_asked_for_is_a_named_error(read: Any, data: Any, reason: str) -> None:
    described = call("x", read)
    if not reason:
        assert described.result(Answer(data, {})) is None
        return
    with pytest.raises(UnusableAnswerError, match=reason):
        described.result(Answer(data, {}))


@pytest.mark.parametrize("error", [RecursionError("deep"), ValueError("digits"), KeyError("s3cret"), MemoryError()])
def test_whatever_a_reader_stumbles_over_is_a_named_error(error: Exception) -> None:
    def stumble(data: Any) -> Any:
        raise error

    with pytest.raises(UnusableAnswerError, match=rf"^it cannot be read \({type(error).__name__}\)$"):
        call("x", stumble).result(Answer({}, {}))


def test_an_error_of_the_service_stays_what_it_is() -> None:
    def refuse(data: Any) -> Any:
        raise ServiceError("no such thing")

    with pytest.raises(ServiceError, match="no such thing"):
        call("x", refuse).result(Answer({}, {}))

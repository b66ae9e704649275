"""The poll that knows every recent task of a business."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.polling import task_ends_poll
from airflow_provider_sops.polling.task_ends_poll import TaskEndsPoll
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_ends import END_STATES, FAILED, FAILING, FINISHED, REVOKED, Selection, WatchedTask
from tests.task_progress import until_accepted, wait_for_node, wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_httpserver import HTTPServer
    from werkzeug import Request

    from airflow_provider_sops.hooks.sops import SopsHook

_LONGEST_SECONDS = 60.0


#: Watches all tasks and all their ends.
EVERYTHING = Selection(states=END_STATES)


def make_poll(*selections: Selection, **changes: Any) -> TaskEndsPoll:
    arguments: dict[str, Any] = {"interval_seconds": 0.2, "follow_days": 30}
    watched = frozenset(selections or [EVERYTHING])
    return TaskEndsPoll(Site("sops_default"), lambda: watched, **{**arguments, **changes})


async def first(
    poll: TaskEndsPoll, is_it: Callable[[Mapping[int, WatchedTask]], bool] = lambda _: True
) -> Mapping[int, WatchedTask]:
    """Return the first picture that is as wanted."""
    async with asyncio.timeout(_LONGEST_SECONDS), aclosing(poll.pictures()) as pictures:
        async for picture in pictures:
            if is_it(picture.tasks):
                return picture.tasks
    raise AssertionError("pictures never end")


async def ends_as(task_id: int, end: str, **changes: Any) -> WatchedTask:
    """Wait until a task has an end, and return it."""
    picture = await first(make_poll(**changes), lambda picture: task_id in picture and picture[task_id].end == end)
    return picture[task_id]


@pytest.fixture
def begin(hook: SopsHook, templates: dict[str, int]) -> Callable[..., int]:
    """Start a task."""

    def begin(template: str, **constants: Any) -> int:
        named = {f"${{{name}}}": value for name, value in constants.items()}
        task_id = hook.create_task(templates[template], f"poll {template}", constants=named).task_id
        hook.start_task(task_id)
        return task_id

    return begin


@pytest.mark.integration
class TestOnLocalSops:
    def test_a_running_task_is_followed_to_its_end(self, begin: Callable[..., int], hook: SopsHook) -> None:
        task_id = begin("pause")
        status = wait_for_node(hook, task_id, "ask a person", "RUNNING")
        waiting = next(node for _, node in status.walk() if node.name == "ask a person")

        async def follow() -> list[str]:
            seen: list[str] = []
            async with asyncio.timeout(_LONGEST_SECONDS), aclosing(make_poll().pictures()) as pictures:
                async for picture in pictures:
                    if not seen:
                        await asyncio.to_thread(
                            until_accepted, lambda: hook.operate_node(task_id, waiting.id, "callback")
                        )
                    seen.append(picture.tasks[task_id].end)
                    if seen[-1]:
                        break
            return seen

        seen = asyncio.run(follow())
        assert (seen[0], seen[-1]) == ("", FINISHED)

    def test_a_task_that_begins_and_ends_between_two_polls_is_found(
        self, begin: Callable[..., int], hook: SopsHook
    ) -> None:
        async def follow() -> WatchedTask:
            task_id = 0
            async with asyncio.timeout(_LONGEST_SECONDS), aclosing(make_poll().pictures()) as pictures:
                async for picture in pictures:
                    if not task_id:
                        task_id = await asyncio.to_thread(begin, "quick")
                        await asyncio.to_thread(wait_for_state, hook, task_id, FINISHED)
                    elif task_id in picture.tasks:
                        return picture.tasks[task_id]
            raise AssertionError("pictures never end")

        task = asyncio.run(follow())
        assert task.end == FINISHED
        assert task.finish_time is not None

    def test_an_old_task_that_is_started_and_ends_between_two_polls_is_found(
        self, hook: SopsHook, templates: dict[str, int]
    ) -> None:
        task_id = hook.create_task(templates["quick"], "poll old").task_id

        async def follow() -> list[str]:
            seen: list[str] = []
            async with asyncio.timeout(_LONGEST_SECONDS), aclosing(make_poll().pictures()) as pictures:
                async for picture in pictures:
                    seen.append(picture.tasks[task_id].end)
                    if seen[-1]:
                        break
                    if len(seen) == 1:
                        await asyncio.to_thread(hook.start_task, task_id)
                        await asyncio.to_thread(wait_for_state, hook, task_id, FINISHED)
            return seen

        assert asyncio.run(follow())[-1] == FINISHED

    def test_a_revoked_task_is_over(self, begin: Callable[..., int], hook: SopsHook) -> None:
        task_id = begin("pause")
        wait_for_node(hook, task_id, "ask a person", "RUNNING")
        hook.operate_task(task_id, "revoke")
        wait_for_state(hook, task_id, REVOKED)
        task = asyncio.run(ends_as(task_id, REVOKED))
        assert task.is_over
        assert task.finish_time is not None

    def test_a_failed_task_in_which_nothing_goes_on_has_failed_and_may_still_finish(
        self, begin: Callable[..., int], hook: SopsHook
    ) -> None:
        task_id = begin("fail")
        failed = wait_for_state(hook, task_id, FAILED).failed_nodes[0]
        assert not asyncio.run(ends_as(task_id, FAILED)).is_over
        until_accepted(lambda: hook.operate_node(task_id, failed.id, "skip"))
        asyncio.run(ends_as(task_id, FINISHED))

    def test_a_task_in_which_a_branch_still_runs_has_not_failed(self, begin: Callable[..., int]) -> None:
        task_id = begin("fail_in_parallel", slow_seconds=3)

        async def follow() -> list[str]:
            seen: list[str] = []
            async with asyncio.timeout(_LONGEST_SECONDS), aclosing(make_poll().pictures()) as pictures:
                async for picture in pictures:
                    seen.append(picture.tasks[task_id].end)
                    if seen[-1] == FAILED:
                        break
            return seen

        assert asyncio.run(follow())[-3:] == [FAILING, FAILING, FAILED]

    def test_tasks_older_than_it_is_to_follow_are_left_out(self, begin: Callable[..., int], hook: SopsHook) -> None:
        task_id = begin("quick")
        wait_for_state(hook, task_id, FINISHED)
        picture = asyncio.run(first(make_poll(follow_days=0)))
        assert task_id not in picture

    def test_tasks_on_all_pages_are_known(
        self, hook: SopsHook, templates: dict[str, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = {hook.create_task(templates["quick"], "poll page").task_id for _ in range(7)}
        monkeypatch.setattr(task_ends_poll, "PAGE_SIZE", 3)
        monkeypatch.setattr(task_ends_poll, "_PAGE_OVERLAP", 1)
        assert ids <= asyncio.run(first(make_poll())).keys()


_FILTERS = ("template_id", "template_ids", "keyword", "is_finished")


class FakeSops:
    """A server that answers with what it is told to."""

    def __init__(self, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = {
            "conn_type": "sops",
            "host": httpserver.url_for(""),
            "login": "airflow",
            "password": "s3cret",
            "extra": {"bk_username": "admin", "bk_biz_id": "2"},
        }
        monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps(connection))
        self.tasks: list[dict[str, Any]] = []
        self.states: dict[int, str] = {}
        self.fresh_states: dict[int, str] = {}
        self.offsets: list[int] = []
        #: What was asked for, without what every request has.
        self.queries: list[dict[str, str]] = []
        self.asked: list[list[int]] = []
        self.refusals: list[int] = []
        httpserver.expect_request("/prod/get_task_list/2/").respond_with_handler(self._list)
        httpserver.expect_request("/prod/get_tasks_status/2/").respond_with_handler(self._states)
        refusal = self._answer({"result": False, "code": 3599999, "message": "no"})
        httpserver.expect_request(re.compile("/prod/get_task_status/.*")).respond_with_response(refusal)

    def _list(self, request: Request) -> Any:
        if self.refusals:
            return self._answer({"result": False, "code": self.refusals.pop(0), "message": "no"})
        self.offsets.append(int(request.args.get("offset", 0)))
        self.queries.append({name: request.args[name] for name in _FILTERS if name in request.args})
        only_unfinished = request.args.get("is_finished") == "false"
        return self._answer(
            {"result": True, "data": [t for t in self.tasks if not (only_unfinished and t["is_finished"])]}
        )

    def _states(self, request: Request) -> Any:
        asked = request.get_json()
        self.asked.append(sorted(asked["task_id_list"]))
        is_fresh = bool(asked.keys() - {"task_id_list", "include_children_status", "scope"})
        states = {**self.states, **self.fresh_states} if is_fresh else self.states
        data = [{"id": key, "status": {"state": states[key]}} for key in asked["task_id_list"] if key in states]
        return self._answer({"result": True, "data": data})

    @staticmethod
    def _answer(content: dict[str, Any]) -> Any:
        from werkzeug import Response

        return Response(json.dumps(content), mimetype="application/json")


@pytest.fixture
def fake_sops(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> FakeSops:
    return FakeSops(httpserver, monkeypatch)


def listed(task_id: int, *, is_started: bool = True, is_finished: bool = False, **more: Any) -> dict[str, Any]:
    return {"id": task_id, "name": f"task {task_id}", "is_started": is_started, "is_finished": is_finished, **more}


class TestOnStrangeServers:
    def test_a_server_that_ignores_the_offset_is_not_paged_for_ever(
        self, fake_sops: FakeSops, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(task_ends_poll, "PAGE_SIZE", 2)
        monkeypatch.setattr(task_ends_poll, "_PAGE_OVERLAP", 1)
        fake_sops.tasks = [listed(2, is_finished=True), listed(1, is_finished=True)]
        assert set(asyncio.run(first(make_poll()))) == {1, 2}
        assert fake_sops.offsets == [0, 1]

    def test_a_refusal_is_logged_once_and_asked_again(
        self, fake_sops: FakeSops, caplog: pytest.LogCaptureFixture
    ) -> None:
        fake_sops.refusals = [3540400, 3540400]
        fake_sops.tasks = [listed(1, is_finished=True)]
        with caplog.at_level(logging.ERROR):
            assert set(asyncio.run(first(make_poll(interval_seconds=0.01)))) == {1}
        assert caplog.text.count("cannot be watched") == 1

    def test_the_first_picture_waits_for_the_states_of_all_tasks(self, fake_sops: FakeSops) -> None:
        """A task that ended long ago would look as if it had ended just now, once its state is known."""
        fake_sops.tasks = [listed(1)]
        fake_sops.states = {1: REVOKED}
        assert asyncio.run(first(make_poll()))[1].end == REVOKED

    def test_a_task_whose_state_sops_refuses_does_not_hold_up_the_others(self, fake_sops: FakeSops) -> None:
        fake_sops.tasks = [listed(2), listed(1)]
        fake_sops.states = {1: FINISHED}
        picture = asyncio.run(first(make_poll()))
        assert [picture[task_id].end for task_id in (1, 2)] == [FINISHED, ""]

    def test_an_end_is_asked_for_past_the_servers_cache_once_the_list_tells_it(self, fake_sops: FakeSops) -> None:
        fake_sops.tasks = [listed(1)]
        fake_sops.states = {1: "RUNNING"}

        async def follow() -> str:
            async with (
                asyncio.timeout(_LONGEST_SECONDS),
                aclosing(make_poll(interval_seconds=0.01).pictures()) as pictures,
            ):
                await anext(pictures)
                fake_sops.tasks, fake_sops.fresh_states = [], {1: FINISHED}
                return (await anext(pictures)).tasks[1].end

        assert asyncio.run(follow()) == FINISHED

    def test_a_task_that_leaves_the_list_while_it_runs_is_given_up(self, fake_sops: FakeSops) -> None:
        fake_sops.tasks = [listed(1), listed(2)]
        fake_sops.states = {1: "RUNNING", 2: "RUNNING"}

        async def follow() -> int:
            looks = 0
            async with (
                asyncio.timeout(_LONGEST_SECONDS),
                aclosing(make_poll(interval_seconds=0.01).pictures()) as pictures,
            ):
                async for picture in pictures:
                    fake_sops.tasks = [listed(2)]
                    looks += 1
                    if 1 not in picture.tasks:
                        break
            return looks

        assert asyncio.run(follow()) == task_ends_poll._MOST_ABSENCES + 1


class TestAsksOnlyForWhatCanMatch:
    @pytest.mark.parametrize(
        ("selections", "query"),
        [
            ([Selection()], {}),
            ([Selection(template_id=7)], {"template_id": "7"}),
            ([Selection(template_id=7), Selection(template_id=9, states=END_STATES)], {"template_ids": "7,9"}),
            ([Selection(template_id=7), Selection()], {}),
            ([Selection(name_pattern="nightly *")], {"keyword": "nightly "}),
            ([Selection(name_pattern="*"), Selection(template_id=7, name_pattern="a*")], {}),
            ([Selection(template_id=7, name_pattern="[ab]?-load*")], {"template_id": "7", "keyword": "-load"}),
        ],
    )
    def test_the_lists_are_filtered_by_what_all_watchers_have_in_common(
        self, fake_sops: FakeSops, selections: list[Selection], query: dict[str, str]
    ) -> None:
        async def follow() -> None:
            async with aclosing(make_poll(*selections, interval_seconds=0.01).pictures()) as pictures:
                await anext(pictures)
                await anext(pictures)

        fake_sops.tasks = [listed(1, name="xx-load nightly ", template_id="7")]
        asyncio.run(follow())
        assert fake_sops.queries == [query, query, {**query, "is_finished": "false"}]

    def test_states_are_asked_only_of_tasks_that_are_watched(self, fake_sops: FakeSops) -> None:
        fake_sops.tasks = [listed(2, template_id="9"), listed(1, template_id="7")]
        fake_sops.states = {1: REVOKED, 2: REVOKED}
        picture = asyncio.run(first(make_poll(Selection(template_id=7, states=(REVOKED,)), Selection(template_id=9))))
        assert [picture[task_id].end for task_id in (1, 2)] == [REVOKED, ""]
        assert fake_sops.asked == [[1]]

    def test_that_a_task_is_finished_is_in_the_list(self, fake_sops: FakeSops) -> None:
        fake_sops.tasks = [listed(1)]

        async def follow() -> str:
            async with aclosing(make_poll(Selection(), interval_seconds=0.01).pictures()) as pictures:
                await anext(pictures)
                fake_sops.tasks = [listed(1, is_finished=True)]
                return (await anext(pictures)).tasks[1].end

        assert asyncio.run(follow()) == FINISHED
        assert fake_sops.asked == []

    def test_a_server_that_ignores_filters_is_not_paged_to_the_end_each_time(
        self, fake_sops: FakeSops, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(task_ends_poll, "PAGE_SIZE", 3)
        fake_sops.tasks = [listed(number, is_finished=True, template_id="9") for number in (3, 2, 1)]

        async def follow() -> int:
            poll = make_poll(Selection(template_id=7), interval_seconds=0.01)
            async with aclosing(poll.pictures()) as pictures:
                assert (await anext(pictures)).tasks == {}
                before = len(fake_sops.offsets)
                await anext(pictures)
                return len(fake_sops.offsets) - before

        assert asyncio.run(follow()) == 2

    def test_a_watcher_that_comes_later_has_a_picture_of_its_own_tasks_first(self, fake_sops: FakeSops) -> None:
        """A task that ended long ago would else look as if it had ended just now."""
        fake_sops.tasks = [listed(2, template_id="9"), listed(1, template_id="7")]
        fake_sops.states = {1: REVOKED, 2: REVOKED}
        earlier, later = Selection(template_id=7, states=END_STATES), Selection(template_id=9, states=END_STATES)
        watched = {earlier}

        async def follow() -> None:
            poll = TaskEndsPoll(Site("sops_default"), lambda: frozenset(watched), interval_seconds=0.01, follow_days=30)
            async with aclosing(poll.pictures()) as pictures:
                picture = await anext(pictures)
                assert (set(picture.tasks), set(picture.selections)) == ({1}, {earlier})
                watched.add(later)
                picture = await anext(pictures)
                assert (picture.tasks[2].end, set(picture.selections)) == (REVOKED, {earlier, later})
                watched.remove(earlier)
                assert set((await anext(pictures)).tasks) == {2}

        asyncio.run(follow())

    def test_nothing_is_asked_while_nobody_watches(self, fake_sops: FakeSops, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(task_ends_poll, "_IDLE_SECONDS", 0.01)
        watched: set[Selection] = set()

        async def follow() -> None:
            poll = TaskEndsPoll(Site("sops_default"), lambda: frozenset(watched), interval_seconds=30, follow_days=30)
            async with aclosing(poll.pictures()) as pictures:
                waiting = asyncio.ensure_future(anext(pictures))
                await asyncio.sleep(0.05)
                assert fake_sops.queries == []
                watched.add(EVERYTHING)
                await waiting

        asyncio.run(follow())
        assert len(fake_sops.queries) == 1

"""What becomes of the bundle when people work in SOPS, and when SOPS is away."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from airflow_provider_sops.bundles import reading
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.flow_trees import required, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bundles.conftest import FakeSops

    MakeBundle = Callable[..., Any]


def calling(number: int, **fields: Any) -> Any:
    return {"type": "SubProcess", "name": "inner", "template_id": str(number), "optional": False, **fields}


def flows(bundle: Any) -> set[int]:
    """Return the templates in the folder of a bundle."""
    return {int(path.stem) for path in (bundle.path / "flows").glob("*.json")}


def version(bundle: Any) -> str:
    return str(bundle.get_current_version().version)


def test_the_first_version_is_read_from_sops(sops: FakeSops, bundle: MakeBundle) -> None:
    sops.save(1)
    sops.save(2)
    sops.save(3, category="Day")
    made = bundle()
    made.initialize()

    assert flows(made) == {1, 2}
    assert sops.questions() == {"get_template_info 1": 1, "get_template_info 2": 1}


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({"category": "NIGHT"}, {1, 2}),
        ({"category": "", "template_name": "BACKUP"}, {2, 3}),
        ({"category": "night", "template_name": "backup"}, {2}),
    ],
)
def test_only_what_the_filter_accepts(
    sops: FakeSops, bundle: MakeBundle, filters: dict[str, str], numbers: set[int]
) -> None:
    sops.save(1)
    sops.save(2, name="backup of all")
    sops.save(3, name="Backup", category="Day")
    made = bundle(**filters)
    made.initialize()

    assert flows(made) == numbers


def test_a_refresh_without_a_change_asks_for_the_list_alone(sops: FakeSops, bundle: MakeBundle) -> None:
    sops.save(1)
    made = bundle()
    made.initialize()
    before = version(made)
    sops.asked.clear()
    made.refresh()

    assert sops.asked == {"get_template_list": 1}
    assert version(made) == before


def test_a_refresh_asks_for_what_was_saved_or_is_new_and_drops_what_was_deleted(
    sops: FakeSops, bundle: MakeBundle
) -> None:
    for number in (1, 2, 3):
        sops.save(number)
    made = bundle()
    made.initialize()
    before = version(made)
    sops.questions()
    sops.save(1, "2", pipeline_tree=tree("s > a > b > e"))
    del sops.templates[2]
    sops.save(4)
    made.refresh()

    assert flows(made) == {1, 3, 4}
    assert sops.questions() == {"get_template_info 1": 1, "get_template_info 4": 1}
    assert version(made) != before


def test_a_template_renamed_out_of_the_filter_is_gone_and_comes_back(sops: FakeSops, bundle: MakeBundle) -> None:
    sops.save(1, name="backup")
    made = bundle(template_name="backup")
    made.initialize()
    sops.save(1, "2", name="other")
    made.refresh()
    assert flows(made) == set()

    sops.save(1, "3", name="backup")
    made.refresh()
    assert flows(made) == {1}


def test_saving_without_a_change_makes_no_version(sops: FakeSops, bundle: MakeBundle) -> None:
    sops.save(1)
    made = bundle()
    made.initialize()
    before = version(made)
    sops.questions()
    sops.save(1, "2")
    made.refresh()
    made.refresh()

    assert version(made) == before
    assert sops.questions() == {"get_template_info 1": 1}


def test_a_template_is_read_again_when_one_that_it_calls_was_saved(sops: FakeSops, bundle: MakeBundle) -> None:
    inner = tree("s > x > e")
    sops.save(7, category="Parts", pipeline_tree=inner)
    sops.save(8, common=True, pipeline_tree=inner)
    sops.save(1, pipeline_tree=tree("s > a > e", nodes={"a": calling(7)}))
    sops.save(2, pipeline_tree=tree("s > a > e", nodes={"a": calling(8, template_source="common")}))
    made = bundle()
    made.initialize()
    sops.questions()
    sops.save(7, "2", pipeline_tree=tree("s > x > y > e"))
    made.refresh()
    assert sops.questions() == {"get_template_info 1": 1, "get_template_info 7": 1}

    sops.save(8, "2", common=True, pipeline_tree=tree("s > x > z > e"))
    made.refresh()
    assert sops.questions() == {"get_template_info 2": 1, "get_template_info 8": 1}


def test_every_template_is_read_once_a_day(sops: FakeSops, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    sops.save(1)
    made = bundle()
    made.initialize()
    sops.questions()
    monkeypatch.setattr(reading, "_READ_AGAIN_SECONDS", 3600.0)
    made.refresh()

    assert sops.questions() == {"get_template_info 1": 1}


def test_other_options_make_another_version_without_reading_again(sops: FakeSops, bundle: MakeBundle) -> None:
    sops.save(1)
    first = bundle()
    first.initialize()
    before = version(first)
    sops.questions()
    second = bundle(mode="native")
    second.initialize()
    second.refresh()

    assert version(second) != before
    assert sops.questions() == {}


def test_templates_of_another_project_are_others(sops: FakeSops, bundle: MakeBundle) -> None:
    sops.save(1)
    bundle().initialize()
    sops.questions()
    bundle(bk_biz_id=3).refresh()

    assert sops.questions() == {"get_template_info 1": 1}


class TestOutages:
    def test_the_last_version_stays_while_sops_is_away(
        self, sops: FakeSops, bundle: MakeBundle, caplog: pytest.LogCaptureFixture
    ) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        before = version(made)
        sops.is_away = True
        with caplog.at_level(logging.WARNING):
            made.refresh()
            restarted = bundle(machine="another")
            restarted.initialize()
            restarted.refresh()

        assert (flows(made), version(made)) == ({1}, before)
        assert (flows(restarted), version(restarted)) == ({1}, before)
        assert "DAG bundle night stays as it is, since SOPS cannot be read: get_template_list" in caplog.text
        assert "s3cret-of-the-app" not in caplog.text

    def test_a_missing_connection_leaves_the_last_version(
        self, sops: FakeSops, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        monkeypatch.delenv("AIRFLOW_CONN_SOPS_DEFAULT")
        made.refresh()

        assert flows(made) == {1}

    def test_without_any_version_the_bundle_is_not_empty_but_broken(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.is_away = True
        made = bundle()

        with pytest.raises(Exception, match="get_template_list"):
            made.initialize()
        assert not made.is_initialized
        with pytest.raises(Exception, match="get_template_list"):
            made.refresh()

    def test_what_was_read_before_an_outage_is_kept_and_the_rest_waits_its_turn(
        self, sops: FakeSops, bundle: MakeBundle
    ) -> None:
        for number in range(1, 7):
            sops.save(number)
        sops.leaves_at = 3
        made = bundle(refresh_interval=60)
        made.initialize()
        assert flows(made) == {1, 2}
        assert made.refresh_interval == 60

        sops.questions()
        sops.leaves_at, sops.is_away = None, False
        made.refresh()
        assert flows(made) == {1, 2, 3, 4, 5, 6}
        assert sops.questions().keys() == {f"get_template_info {number}" for number in (3, 4, 5, 6)}

    def test_a_new_template_is_not_blamed_for_an_outage(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        sops.save(2)
        sops.leaves_at = 2
        made.refresh()

        assert flows(made) == {1}

    def test_templates_without_an_answer_do_not_keep_others_back(self, sops: FakeSops, bundle: MakeBundle) -> None:
        for number in range(1, 6):
            sops.save(number)
        sops.silent = {1, 2, 3}
        made = bundle()
        made.initialize()

        assert flows(made) == {1, 2, 3, 4, 5}
        assert b"unreadable template" in (made.path / "flows/3.json").read_bytes()
        assert b"unreadable template" not in (made.path / "flows/4.json").read_bytes()

    def test_one_template_without_an_answer_stays_as_it_was(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        sops.save(2)
        made = bundle()
        made.initialize()
        before = version(made)
        sops.save(1, "2", pipeline_tree=tree("s > b > e"))
        sops.silent = {1}
        made.refresh()

        assert version(made) == before


class TestTemplatesThatCannotBeRead:
    def test_a_template_that_sops_refuses_has_its_reason(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        sops.save(2)
        sops.refusals = {1: 3599999}
        made = bundle()
        made.initialize()

        assert b"SOPS refused the call" in (made.path / "flows/1.json").read_bytes()
        assert b"airflow-sops snapshot" in (made.path / "flows/2.json").read_bytes()

    def test_it_is_asked_for_again_after_a_while_and_changes_nothing_until_it_can_be_read(
        self, sops: FakeSops, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sops.save(1)
        sops.refusals = {1: 3599999}
        monkeypatch.setattr(reading, "_TRY_AGAIN_SECONDS", -1.0)
        made = bundle()
        made.initialize()
        before = version(made)
        made.refresh()
        assert version(made) == before

        sops.refusals = {}
        made.refresh()
        assert version(made) != before

    def test_a_refused_template_is_not_asked_for_with_every_refresh(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        sops.refusals = {1: 3599999}
        made = bundle()
        made.initialize()
        sops.questions()
        made.refresh()

        assert sops.questions() == {}

    def test_a_template_outlives_a_lost_permission_until_it_is_changed(
        self, sops: FakeSops, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        before = version(made)
        sops.questions()
        sops.refusals = {1: 3599999}
        monkeypatch.setattr(reading, "_READ_AGAIN_SECONDS", 3600.0)
        made.refresh()
        made.refresh()
        assert sops.questions() == {"get_template_info 1": 1}
        assert version(made) == before

        sops.save(1, "2")
        made.refresh()
        assert b"unreadable template" in (made.path / "flows/1.json").read_bytes()

    def test_a_template_deleted_since_the_list_is_gone(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        sops.refusals = {1: 3540400}
        made = bundle()
        made.initialize()

        assert flows(made) == set()

    def test_a_template_that_calls_a_deleted_one_has_its_reason(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1, pipeline_tree=tree("s > a > e", nodes={"a": calling(9)}))
        made = bundle()
        made.initialize()

        assert b"(template_id 9, bk_biz_id 2)" in (made.path / "flows/1.json").read_bytes()

    def test_a_template_that_calls_itself_costs_no_other(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1, pipeline_tree=tree("s > a > e", nodes={"a": calling(1)}))
        sops.save(2)
        made = bundle()
        made.initialize()

        assert flows(made) == {1, 2}
        assert b"contains itself" in (made.path / "flows/1.json").read_bytes()


class TestManyTemplates:
    def test_a_refresh_ends_in_time_and_the_next_one_is_due_at_once(
        self, sops: FakeSops, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(1, 6):
            sops.save(number)
        monkeypatch.setattr(reading, "REFRESH_SECONDS", -1.0)
        made = bundle(refresh_interval=60)
        made.initialize()
        assert (flows(made), made.refresh_interval) == (set(), 0)

        monkeypatch.setattr(reading, "REFRESH_SECONDS", 60.0)
        made.refresh()
        assert (flows(made), made.refresh_interval) == ({1, 2, 3, 4, 5}, 60)

    def test_hundreds_are_two_lists_and_one_question_each(self, sops: FakeSops, bundle: MakeBundle) -> None:
        flow = tree("s > a > e")
        for number in range(1, 251):
            sops.save(number, pipeline_tree=flow)
        made = bundle()
        made.initialize()
        made.refresh()
        while made.refresh_interval == 0:
            made.refresh()
        assert sum(sops.questions().values()) == 250
        assert flows(made) == set(range(1, 251))

        sops.save(125, "2", pipeline_tree=tree("s > b > e"))
        made.refresh()
        # A server that does not page answers both questions for the list with all of it.
        assert sops.asked["get_template_list"] == 2
        assert sops.questions() == {"get_template_info 125": 1}


class TestVersions:
    def test_an_old_run_finds_its_version_on_another_machine_without_sops(
        self, sops: FakeSops, bundle: MakeBundle
    ) -> None:
        sops.save(1, pipeline_tree=tree("s > a > e", nodes={"a": required("the old node")}))
        made = bundle()
        made.initialize()
        old = version(made)
        sops.save(1, "2", pipeline_tree=tree("s > b > e"))
        made.refresh()
        sops.is_away = True
        worker = bundle(machine="worker", version=old)
        worker.initialize()

        assert version(worker) == old != version(made)
        assert b"the old node" in (worker.path / "flows/1.json").read_bytes()
        assert b"the old node" not in (made.path / "flows/1.json").read_bytes()

    def test_a_version_that_airflow_has_cleaned_up_is_fetched_again(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        pinned = bundle(version=version(made))
        pinned.initialize()
        shutil.rmtree(pinned.path)
        pinned.initialize()

        assert flows(pinned) == {1}

    def test_a_worker_without_the_storage_is_told_so(self, sops: FakeSops, bundle: MakeBundle, tmp_path: Path) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        worker = bundle(machine="worker", version=version(made), storage_path=str(tmp_path / "of the worker alone"))

        with pytest.raises(SopsInvalidParameterError, match=r"version [0-9a-f]+ is not in .*all machines share"):
            worker.initialize()

    def test_a_newest_version_that_somebody_has_deleted_is_read_again(
        self, sops: FakeSops, bundle: MakeBundle, tmp_path: Path
    ) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        (kept,) = (tmp_path / "shared/versions").iterdir()
        kept.unlink()
        made.refresh()

        assert kept.exists()
        assert flows(made) == {1}

    def test_a_damaged_version_is_not_used(self, sops: FakeSops, bundle: MakeBundle, tmp_path: Path) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        (kept,) = (tmp_path / "shared/versions").iterdir()
        kept.write_bytes(kept.read_bytes()[:-30])

        with pytest.raises(SopsInvalidParameterError, match="is damaged"):
            bundle(machine="worker", version=version(made)).initialize()

    def test_a_version_under_the_name_of_another_is_not_used(
        self, sops: FakeSops, bundle: MakeBundle, tmp_path: Path
    ) -> None:
        sops.save(1)
        made = bundle()
        made.initialize()
        (kept,) = (tmp_path / "shared/versions").iterdir()
        kept.rename(kept.with_name(f"{'a' * 32}.zip"))

        with pytest.raises(SopsInvalidParameterError, match=f"is damaged: it holds version {version(made)}"):
            bundle(machine="worker", version="a" * 32).initialize()

    def test_a_pinned_bundle_is_not_refreshed(self, bundle: MakeBundle) -> None:
        with pytest.raises(SopsInvalidParameterError, match="cannot be refreshed"):
            bundle(version="a" * 32).refresh()

    def test_versions_lie_in_object_storage(self, sops: FakeSops, bundle: MakeBundle, tmp_path: Path) -> None:
        attach("memory", fs=MemoryFileSystem())
        sops.save(1)
        address = f"memory://bucket/{tmp_path.name}"
        made = bundle(storage_path=address)
        made.initialize()
        sops.save(2)
        made.refresh()
        worker = bundle(machine="worker", storage_path=address, version=version(made))
        worker.initialize()

        assert flows(worker) == {1, 2}
        assert len(list(ObjectStoragePath(f"{address}/versions").iterdir())) == 2

    def test_an_object_is_read_by_one_request(
        self, sops: FakeSops, bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """s3fs fails if an object is replaced after it was opened and before it is read."""

        def replaced_meanwhile(*_: Any, mode: str = "rb", **__: Any) -> Any:
            raise OSError(errno.EBUSY, "The remote file no longer exists")

        attach("memory", fs=MemoryFileSystem())
        sops.save(1)
        address = f"memory://bucket/{tmp_path.name}"
        made = bundle(storage_path=address)
        made.initialize()
        monkeypatch.setattr(MemoryFileSystem, "_open", replaced_meanwhile)
        made.refresh()
        worker = bundle(machine="worker", storage_path=address, version=version(made))
        worker.initialize()

        assert flows(worker) == {1}


class TestAtTheSameTime:
    def test_many_tasks_of_one_version_begin_on_a_new_worker(self, sops: FakeSops, bundle: MakeBundle) -> None:
        for number in range(1, 20):
            sops.save(number)
        made = bundle()
        made.initialize()
        workers = [bundle(machine="worker", version=version(made)) for _ in range(8)]
        at_once(worker.initialize for worker in workers)

        assert all(flows(worker) == set(range(1, 20)) for worker in workers)
        assert [path.name for path in workers[0].versions_dir.iterdir()] == [version(made)]

    def test_processors_on_two_machines_refresh(self, sops: FakeSops, bundle: MakeBundle) -> None:
        for number in range(1, 20):
            sops.save(number)
        processors = [bundle(machine=machine) for machine in ("one", "two")]
        for processor in processors:
            # They have no lock in common.
            processor.lock = nullcontext
        at_once(processor.initialize for processor in processors)
        sops.save(20)
        at_once(processor.refresh for processor in processors)

        assert {version(each) for each in processors} == {version(processors[0])}
        assert all(flows(each) == set(range(1, 21)) for each in processors)

    def test_processors_on_one_machine_take_turns(self, sops: FakeSops, bundle: MakeBundle) -> None:
        for number in range(1, 20):
            sops.save(number)
        processors = [bundle() for _ in range(3)]
        at_once(processor.initialize for processor in processors)
        assert sum(sops.questions().values()) == 19

        for number in range(1, 20):
            sops.save(number, "2")
        at_once(processor.refresh for processor in processors)
        assert sum(sops.questions().values()) == 19

    def test_another_processor_shows_what_the_first_one_has_read(self, sops: FakeSops, bundle: MakeBundle) -> None:
        sops.save(1)
        first, second = bundle(), bundle(machine="another")
        first.initialize()
        second.initialize()
        sops.save(2)
        first.refresh()
        sops.questions()
        second.refresh()

        assert flows(second) == {1, 2}
        assert sops.questions() == {}


def at_once(acts: Any) -> None:
    errors: list[BaseException] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the test fails with it below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors

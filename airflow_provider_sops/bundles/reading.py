"""What a refresh reads of SOPS: the list of templates, and each template that has changed."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_sops.bundles.content import Flow
from airflow_provider_sops.bundles.store import FlowRecord
from airflow_provider_sops.dag_generator.template_reader import BUSINESS, TemplateReader
from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsNotFoundError
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON, SUBPROCESS
from airflow_provider_sops.waiting.model import DeadlineReachedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.bundles.options import BundleOptions
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TemplateListItem

log = logging.getLogger(__name__)

#: A refresh holds the DAG processor: after this time it leaves the rest to the next one.
REFRESH_SECONDS: Final = 20.0
#: The list, or one template.
_READ_SECONDS: Final = 30.0
#: Nothing shows some changes: a second one within a second, or one of a template whose edit time is not known.
_READ_AGAIN_SECONDS: Final = 24 * 3600.0
#: After a failure. Not at once: there may be hundreds, and a refresh that leaves some is followed by the next one.
_TRY_AGAIN_SECONDS: Final = 300.0
#: After so many templates in a row without an answer SOPS is asked whether it is there.
_OUTAGE: Final = 2


@dataclass
class Reading:
    """What is known after a refresh.

    :param records: of all templates that are wanted and have been read, by id.
    :param flows: those that have been read now; not those that could not be read and stay as they were.
    :param left: how many templates the next refresh has to read.
    :param cut_off: whether SOPS has stopped to answer.
    :param seconds: how long it took.
    """

    records: dict[int, FlowRecord]
    flows: dict[int, Flow] = field(default_factory=dict)
    left: int = 0
    cut_off: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class _Read:
    """What has become of reading one template.

    :param flow: ``None``: it stays as it was.
    """

    flow: Flow | None
    called: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = False
    is_gone: bool = False


class FlowReading:
    """One refresh.

    Calls get_template_list, get_template_info for each changed template, and get_task_list and get_task_detail once for
    the addresses of their pages.

    :param hook: for the bundle's site.
    :param known: what the refreshes before this one have read.
    :param now: seconds since the epoch.
    :param clock: seconds that only grow.
    """

    def __init__(
        self,
        hook: SopsHook,
        options: BundleOptions,
        known: Mapping[int, FlowRecord],
        now: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hook = hook
        self._options = options
        self._known = known
        self._now = now
        self._clock = clock
        self._began = clock()
        self._reader = TemplateReader(hook)
        self._lists: dict[str, Mapping[str, TemplateListItem]] = {}

    def read(self) -> Reading:
        """Read what has changed.

        :raises ServiceError: there is no usable answer to the question for the list.
        """
        listed = self._list(self._options.template_source)
        wanted = {int(number): item for number, item in listed.items() if self._options.wanted.accepts(item)}
        reading = Reading({number: self._known[number] for number in wanted if number in self._known})
        due = sorted((number for number in wanted if self._is_due(number, wanted[number])), key=self._due_since)
        unanswered: dict[int, ServiceError] = {}
        for done, number in enumerate(due):
            if len(unanswered) >= _OUTAGE:
                self._settle(reading, wanted, unanswered)
            if reading.cut_off or self._clock() - self._began > REFRESH_SECONDS:
                reading.left = len(due) - done
                break
            try:
                read = self._read(number, wanted[number])
            except ServiceError as error:
                log.warning("No answer about template %s: %s", number, error)
                unanswered[number] = error
                continue
            self._note(reading, wanted[number], read)
            self._blame(reading, wanted, unanswered)
        self._settle(reading, wanted, unanswered)
        reading.seconds = self._clock() - self._began
        return reading

    def _settle(
        self, reading: Reading, wanted: Mapping[int, TemplateListItem], unanswered: dict[int, ServiceError]
    ) -> None:
        """Find out whether SOPS is away, or cannot answer about some templates alone."""
        if unanswered and not reading.cut_off:
            reading.cut_off = not self._answers()
            if not reading.cut_off:
                self._blame(reading, wanted, unanswered)

    def _answers(self) -> bool:
        """Tell whether SOPS is there."""
        try:
            with self._hook.within(_READ_SECONDS):
                self._hook.get_template_list(limit=1)
        except ServiceError as error:
            return not _is_no_answer(error)
        return True

    def _due_since(self, number: int) -> float:
        return self._known[number].read_again_at if number in self._known else 0.0

    def _is_due(self, number: int, item: TemplateListItem) -> bool:
        if not self._is_as_known(number, item):
            return True
        record = self._known[number]
        # The clock may have been set back.
        if not 0 <= record.read_again_at - self._now <= _READ_AGAIN_SECONDS:
            return True
        return any(self._edit_time_of(key) != edit_time for key, edit_time in record.called.items())

    def _is_as_known(self, number: int, item: TemplateListItem) -> bool:
        record = self._known.get(number)
        return record is not None and (record.name, record.edit_time) == (item.name, _edit_time(item))

    def _note(self, reading: Reading, item: TemplateListItem, read: _Read) -> None:
        number = item.id or 0
        if read.is_gone:
            reading.records.pop(number, None)
            return
        if read.flow is not None:
            reading.flows[number] = read.flow
        edit_time = _edit_time(item)
        pause = _READ_AGAIN_SECONDS if read.is_whole and edit_time else _TRY_AGAIN_SECONDS
        reading.records[number] = FlowRecord(item.name, edit_time, read.called, self._now + pause)

    def _blame(
        self, reading: Reading, wanted: Mapping[int, TemplateListItem], unanswered: dict[int, ServiceError]
    ) -> None:
        """Take it that SOPS cannot answer about these templates, since it answers about others."""
        for number, error in unanswered.items():
            flow = None if number in self._known else _unreadable(number, wanted[number], error)
            self._note(reading, wanted[number], _Read(flow))
        unanswered.clear()

    def _read(self, number: int, item: TemplateListItem) -> _Read:
        """Read a template, and the edit times of those that it calls.

        :raises ServiceError: there is no answer.
        """
        try:
            with self._hook.within(_READ_SECONDS):
                snapshot = self._reader.linked_snapshot(number, self._options.template_source)
            called = {key: self._edit_time_of(key) for key in sorted(_called(snapshot.tree.to_dict()))}
            return _Read(Flow.of(snapshot), called, is_whole=True)
        except ServiceError as error:
            # Deleted since the list; or one that it calls was deleted, where an old server leaves the unfolding to us.
            if isinstance(error, SopsNotFoundError) and error.ids.get("template_id") == str(number):
                return _Read(None, is_gone=True)
            if _is_no_answer(error):
                raise
            if self._is_as_known(number, item):
                # A lost permission, for example, does not make wrong what was read.
                log.warning("Template %s %s stays as it is: %s", number, quoted(item.name), error)
                return _Read(None)
            log.warning("Template %s %s cannot become a DAG: %s", number, quoted(item.name), error)
            return _Read(_unreadable(number, item, error))
        except Exception as error:
            # One template must not cost the DAGs of all others.
            log.exception("Template %s cannot be read", number)
            return _Read(_unreadable(number, item, error))

    def _edit_time_of(self, key: str) -> str:
        """Return when a called template was saved; empty if that is not known."""
        source, _, number = key.partition(" ")
        try:
            item = self._list(source).get(number)
        except ServiceError as error:
            if _is_no_answer(error):
                raise
            # Without the permission for that list.
            self._lists[source] = {}
            return ""
        return "" if item is None else _edit_time(item)

    def _list(self, source: str) -> Mapping[str, TemplateListItem]:
        """Return all templates of a source, by id; asked for once."""
        if source not in self._lists:
            with self._hook.within(_READ_SECONDS):
                self._lists[source] = {str(item.id): item for item in self._reader.templates(source)}
        return self._lists[source]


def _is_no_answer(error: ServiceError) -> bool:
    return error.is_outage or isinstance(error, DeadlineReachedError)


def _unreadable(number: int, item: TemplateListItem, error: Exception) -> Flow:
    return Flow.unreadable(number, item.name, str(error) or type(error).__name__)


def _edit_time(item: TemplateListItem) -> str:
    return read_text(item.raw.get("edit_time"))


def _called(tree: Mapping[str, Any]) -> set[str]:
    """Return which templates the subprocesses of a tree call, ``"business 12"``, at any depth."""
    found, waiting = set(), [tree]
    while waiting:
        for activity in read_mapping(waiting.pop().get("activities")).values():
            node = read_mapping(activity)
            if node.get("type") == SUBPROCESS:
                source = COMMON if node.get("template_source") == COMMON else BUSINESS
                found.add(f"{source} {read_text(node.get('template_id'))}")
                waiting.append(read_mapping(node.get("pipeline")))
    return found

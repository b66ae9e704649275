"""Metrics through Airflow's own ``Stats``: those that docs/metrics.md lists.

They are sent where Airflow's ``[metrics]`` section turns StatsD, DogStatsD or OpenTelemetry on. Sending one never
raises and never waits. Values of tags come from short lists: names of calls, results and hosts, never ids.
"""

from __future__ import annotations

import functools
import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.enos.errors import EnosAuthError
from airflow_provider_sops.service.errors import (
    ConnectionFailedError,
    InvalidParameterError,
    RateLimitError,
    ServiceError,
    UnusableAnswerError,
)
from airflow_provider_sops.sops.errors import SopsAuthError
from airflow_provider_sops.sops.models import TaskState
from airflow_provider_sops.version_compat import get_stats

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_provider_sops.sops.models import TaskStatus

log = logging.getLogger(__name__)

Kind = Literal["counter", "timer", "gauge"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    :param name: without the prefix that Airflow's configuration sets, ``airflow`` by default.
    :param kind: what it is for StatsD; a timer is in milliseconds.
    :param tags: the names of its tags.
    """

    name: str
    kind: Kind
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """The metrics of the requests to one service.

    :param prefix: the first word of their names.
    :param credentials_refused: the service's error for refused credentials.
    """

    prefix: str
    credentials_refused: type[ServiceError]

    @property
    def requests(self) -> Metric:
        """How many requests were sent."""
        return Metric(f"{self.prefix}.requests", "counter", ("call", "result"))

    @property
    def request_duration(self) -> Metric:
        """How long they took, whatever their result."""
        return Metric(f"{self.prefix}.request_duration", "timer", ("call",))

    @property
    def outages(self) -> Metric:
        """How many outages have begun."""
        return Metric(f"{self.prefix}.outages", "counter")

    @property
    def outage_duration(self) -> Metric:
        """How long those lasted that have ended."""
        return Metric(f"{self.prefix}.outage_duration", "timer")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All of them."""
        return (self.requests, self.request_duration, self.outages, self.outage_duration)


SOPS = Service("sops", SopsAuthError)
ENOS = Service("enos", EnosAuthError)
WAITS = Metric("sops.waits", "gauge", ("hostname",))
POLLED_TASKS = Metric("sops.polled_tasks", "counter")
NOTICE_DELAY = Metric("sops.notice_delay", "timer")
METRICS = (*SOPS.metrics, *ENOS.metrics, WAITS, POLLED_TASKS, NOTICE_DELAY)

OK = "ok"
#: The results of requests that brought no answer; they are what an outage is made of.
NO_ANSWER, UNUSABLE = "no_answer", "unusable"
RATE_LIMITED, DENIED, REFUSED, NOT_SENT = "rate_limited", "denied", "refused", "not_sent"
RESULTS = (OK, RATE_LIMITED, DENIED, REFUSED, UNUSABLE, NO_ANSWER, NOT_SENT)
#: After these the service has answered.
_ANSWERS = (OK, DENIED, REFUSED)


class TimedRequest:
    """Measures one request: a context manager around its sending and the reading of its answer.

    A request that is cancelled counts for nothing.

    :param service: where it goes.
    :param call: the call's name in the service's table of endpoints.
    :param root: the gateway's address, by which the outages of several are told apart; it is not sent.
    """

    def __init__(self, service: Service, call: str, root: str) -> None:
        self._service = service
        self._call = call
        self._root = root
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if _form() == "off" or not (error is None or isinstance(error, ServiceError)):
            return
        service, now = self._service, time.monotonic()
        result = result_of(error, service)
        _send(service.requests, 1, call=self._call, result=result)
        if result != NOT_SENT:
            _send(service.request_duration, _milliseconds(now - self._began), call=self._call)
        self._note_outage(error, result, now)

    def _note_outage(self, error: ServiceError | None, result: str, now: float) -> None:
        server = (self._service.prefix, self._root)
        if error is not None and error.is_outage and result in (NO_ANSWER, UNUSABLE):
            if server not in _outages:
                _outages[server] = now
                _send(self._service.outages, 1)
        elif result in _ANSWERS:
            since = _outages.pop(server, None)
            if since is not None:
                _send(self._service.outage_duration, _milliseconds(now - since))


#: Since when each server gives this process no usable answer.
_outages: dict[tuple[str, str], float] = {}


def result_of(error: ServiceError | None, service: Service) -> str:
    """Return the word for how a request ended, one of ``RESULTS``."""
    kinds: tuple[tuple[type[ServiceError], str], ...] = (
        (RateLimitError, RATE_LIMITED),
        (service.credentials_refused, DENIED),
        (ConnectionFailedError, NO_ANSWER),
        (UnusableAnswerError, UNUSABLE),
    )
    if error is None:
        return OK
    if isinstance(error, InvalidParameterError) and error.http_status is None:
        return NOT_SENT
    return next((word for kind, word in kinds if isinstance(error, kind)), REFUSED)


@dataclass
class _RunningWaits:
    """The waits of this process, which is a triggerer.

    :param host: its name; known after ``prepare``.
    """

    count: int = 0
    host: str = ""


_waits = _RunningWaits()


def prepare() -> None:
    """Look this host up and read Airflow's list of metrics, before an event loop sends any: both take a moment."""
    if _form() == "off":
        return
    try:
        from airflow.utils.net import get_hostname

        _waits.host = _waits.host or str(get_hostname())  # type: ignore[no-untyped-call]
    except Exception:
        log.debug("This host's name is not known", exc_info=True)
    _send(POLLED_TASKS, 0)


def wait_begins() -> None:
    """Count one more wait of this triggerer."""
    _waits.count += 1


def wait_ends() -> None:
    """Count one less."""
    _waits.count -= 1
    if _waits.count == 0:
        tell_waits()


def polled(tasks: int) -> None:
    """Tell that one request has asked for the states of several SOPS tasks.

    :param tasks: for how many.
    """
    _send(POLLED_TASKS, tasks)


class NoticedEnd:
    """Tells how late a wait notices that its SOPS task is FINISHED; by the other ends SOPS gives no time.

    :param was_running: whether the task is known to have been running. One that had ended before anybody waited for it
        is not noticed late.
    """

    def __init__(self, *, was_running: bool = False) -> None:
        self._was_running = was_running

    def see(self, status: TaskStatus) -> None:
        """Take in an answer about the task."""
        if status.state != TaskState.FINISHED:
            self._was_running = True
        elif self._was_running and (finish_time := status.finish_time) is not None:
            self._was_running = False
            _send(NOTICE_DELAY, _milliseconds(max(0.0, time.time() - finish_time.timestamp())))


def tell_waits() -> None:
    """Tell how many waits there are now; nothing before ``prepare``."""
    if _waits.host:
        _send(WAITS, _waits.count, hostname=_waits.host)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000.0, 3)


_METHODS = {"counter": "incr", "timer": "timing", "gauge": "gauge"}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")


def _send(metric: Metric, value: float, **tags: str) -> None:
    form = _form()
    if form == "off":
        return
    name, sent_tags = metric.name, tags or None
    if form == "names":
        name, sent_tags = ".".join((name, *(_NOT_IN_NAMES.sub("_", tags[tag]) for tag in metric.tags))), None
    try:
        getattr(get_stats(), _METHODS[metric.kind])(name, value, tags=sent_tags)
    except Exception:  # nothing may fail for a metric
        log.debug("The metric %s was not sent", name, exc_info=True)


@functools.cache
def _form() -> Literal["off", "names", "tags"]:
    """Return where the values of tags go: plain StatsD drops tags, so there they are part of the name."""
    if _is_on("statsd_datadog_enabled"):
        return "tags" if _is_on("statsd_datadog_metrics_tags", default=True) else "names"
    if _is_on("statsd_on"):
        return "tags" if _is_on("statsd_influxdb_enabled") else "names"
    return "tags" if _is_on("otel_on") else "off"


def _is_on(option: str, *, default: bool = False) -> bool:
    try:
        return bool(conf.getboolean("metrics", option, fallback=default))
    except Exception:  # noqa: BLE001 - Airflow complains of what is no boolean, and does so by itself
        return default

"""A hook that keeps one HTTP session."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import tenacity
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.service.retrying import retry_rules
from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.service.transport import new_session
from airflow_provider_sops.waiting.model import DeadlineReachedError
from airflow_provider_sops.waiting.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn, Self

    import requests

    from airflow_provider_sops.service.settings import Limits, TransportSettings

_T = TypeVar("_T")

#: How long an action is tried again whose answer was lost, outside a run.
_BRIEF_SECONDS = 7.0

log = logging.getLogger(__name__)


class SessionHook(BaseHook):
    """A hook with one pooled HTTP session, opened by the first call; as a context manager it closes the session."""

    #: The service, for logs, and its error for refused credentials.
    service: ClassVar[str] = "The server"
    credentials_refused: ClassVar[type[ServiceError]] = ServiceError
    #: How the calls of a run bear outages; ``None``: each is tried a few times.
    patience: Patience | None = None
    _session: requests.Session | None = None
    _deadline: float | None = None
    _is_within: bool = False

    def get_conn(self) -> requests.Session:
        """Return the session; it keeps connections open between calls."""
        if self._session is None:
            self._session = new_session()
        return self._session

    @contextlib.contextmanager
    def within(self, seconds: float | None) -> Iterator[None]:
        """Let the calls of the block end in time: none takes longer, and none is sent, or sent again, after it.

        For the looks of a wait, which bears outages itself: the patience does not apply.

        :param seconds: from now; ``None`` for no limit but the connection's.
        :raises DeadlineReachedError: a call has brought nothing by then.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        before = self._deadline, self._is_within
        self._deadline, self._is_within = deadline, True
        try:
            yield
        except ServiceError as error:
            if deadline is None or time.monotonic() < deadline or isinstance(error, DeadlineReachedError):
                raise
            raise DeadlineReachedError(f"no answer before the deadline of the wait; the last error: {error}") from error
        finally:
            self._deadline, self._is_within = before

    def be_patient(
        self,
        max_outage_seconds: float,
        task_log: Any,
        *,
        may_be_running: Callable[[], bool] = lambda: False,
        leave: Callable[[], NoReturn] | None = None,
    ) -> Patience:
        """Let all calls from now on bear outages, and return the account of them.

        :param task_log: the log of the Airflow task.
        :param max_outage_seconds: as of ``Patience``; and so are the others.
        """
        self.patience = Patience(
            self.service,
            max_outage_seconds,
            lambda line: task_log.log(line.level, "%s", log_entry(line.text)),
            credentials_refused=self.credentials_refused,
            may_be_running=may_be_running,
            leave=leave,
        )
        return self.patience

    def bear(self, call: str, act: Callable[[], _T]) -> _T:
        """Do something that does no harm twice, again while its answer is lost: as long as the run's patience says.

        Without such patience it is tried for about ten seconds.

        :param call: its name, for the log.
        """
        patience = self.patience or Patience(
            self.service, _BRIEF_SECONDS, lambda line: log.log(line.level, "%s", line.text)
        )
        return patience.bear(call, act)

    def _again(self, api: str, act: Callable[[], _T], *, repeatable: bool) -> _T:
        """Do a call by the rules of ``service.retrying``, and no longer than ``within`` allows, or by the patience."""
        if self.patience is not None and not self._is_within:

            def may_repeat(error: ServiceError) -> bool:
                return repeatable or not error.outcome_unknown or error.api not in (None, api)

            return self.patience.bear(api, act, may_repeat=may_repeat)
        level = logging.DEBUG if self._is_within else logging.WARNING
        rules = retry_rules(api, repeatable=repeatable, log=log, level=level)
        if self._deadline is not None:
            ends = tenacity.stop_before_delay(max(0.0, self._deadline - time.monotonic()))
            rules = {**rules, "stop": tenacity.stop_any(rules["stop"], ends)}
        return tenacity.Retrying(**rules)(act)

    def _limited(self, limits: Limits) -> Limits:
        """Return the limits of a request that is sent now."""
        if self._deadline is None:
            return limits
        seconds_left = self._deadline - time.monotonic()
        if seconds_left <= 0:
            raise DeadlineReachedError("the deadline of the wait came before the request was sent")
        return limits.within(seconds_left)

    def close(self) -> None:
        """Close the session; the next call opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def warn_about(service: str, secret: str, transport: TransportSettings, unused_extra: tuple[str, ...]) -> None:
    """Log a warning, once per process, for plain-text transport, unverified certificates and unknown extra keys.

    :param service: its name.
    :param secret: the name of the secret that every request carries.
    :param unused_extra: unknown keys of the connection's extra.
    """
    if transport.is_plain_text:
        _warn_once("%s does not use https://: the %s crosses the network in plain text.", transport.root, secret)
    if transport.verify is False and transport.root.startswith("https:"):
        _warn_once(
            "Extra 'verify' is false: whoever can redirect requests to %s can pose as it and read the %s.",
            transport.root,
            secret,
        )
    if unused_extra:
        _warn_once("The extra of the %s connection has unknown keys: %s.", service, ", ".join(unused_extra))


@functools.cache
def _warn_once(message: str, *values: str) -> None:
    log.warning(message, *values)

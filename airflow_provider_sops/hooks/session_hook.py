"""A hook that keeps one HTTP session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_sops.service.transport import new_session

if TYPE_CHECKING:
    from typing import Self

    import requests


class SessionHook(BaseHook):
    """A hook with one pooled HTTP session, opened by the first call; as a context manager it closes the session."""

    _session: requests.Session | None = None

    def get_conn(self) -> requests.Session:
        """Return the session; it keeps connections open between calls."""
        if self._session is None:
            self._session = new_session()
        return self._session

    def close(self) -> None:
        """Close the session; the next call opens another."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

"""When a request to EnOS is sent again: by the same rules as for SOPS. Each try is signed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.errors import EnosError
from airflow_provider_sops.enos.tokens import GET_TOKEN, REFRESH_TOKEN
from airflow_provider_sops.service.retrying import repeat_rules

if TYPE_CHECKING:
    import logging

    from airflow_provider_sops.enos.endpoints import Endpoint


def retry_rules(endpoint: Endpoint, log: logging.Logger) -> dict[str, Any]:
    """Return the arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying``.

    :param log: told of every repeat.
    """

    def may_be_repeated(error: BaseException) -> bool:
        if not isinstance(error, EnosError) or not error.temporary:
            return False
        if error.api != endpoint.name and error.api in (GET_TOKEN.name, REFRESH_TOKEN.name):
            return False  # asking for a token was repeated already
        return endpoint.repeatable or not error.outcome_unknown

    return repeat_rules(may_be_repeated, log)

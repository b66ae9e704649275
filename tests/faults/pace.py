"""Time, scaled: what takes seconds in life takes tenths here, on the provider's side and the network's alike."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import tenacity

from airflow_provider_sops.operators.sops import actions, earlier_tasks, exactly_once, revocation
from airflow_provider_sops.polling import shared_connection
from airflow_provider_sops.service import answer, retrying
from airflow_provider_sops.sops import task_failure, task_wait
from airflow_provider_sops.task_instance import outputs
from airflow_provider_sops.triggers import sops as triggers
from airflow_provider_sops.triggers import sops_interruption, waiting_trigger
from airflow_provider_sops.waiting import patience

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How long SOPS's web processes keep answers, by call; a tenth of the real 10 and 60 seconds.
CACHE_SECONDS = {"get_task_status": 1.0, "get_task_detail": 6.0}
#: How long the provider waits for an answer; extra ``timeout_seconds`` of the connections.
CLIENT_TIMEOUT_SECONDS = 1.0
POLL_INTERVAL_SECONDS = 0.15


@contextmanager
def hurried() -> Iterator[None]:
    """Let the provider's own pauses be short, in the same proportion to each other as they are."""
    with ExitStack() as stack:
        for place, name, value in (
            (retrying, "_growing_pause", tenacity.wait_random(0.02, 0.1)),
            (answer, "LONGEST_PAUSE_SECONDS", 1.0),
            (exactly_once, "_PAUSE_SECONDS", 0.1),
            (actions, "_PAUSE_SECONDS", 0.15),
            (actions, "_SHOWS_SECONDS", 0.3),
            (patience, "WORKER_SECONDS", 0.8),
            (patience, "_FIRST_PAUSE_SECONDS", 0.03),
            (patience, "_LONGEST_PAUSES_SECONDS", (0.2, 0.4)),
            (sops_interruption, "_PAUSE_SECONDS", 0.1),
            (sops_interruption, "_LOOK_SECONDS", 0.2),
            (shared_connection, "PATIENCE_SECONDS", 1.5),
            (shared_connection, "_LONGEST_PAUSE_SECONDS", 0.5),
            (earlier_tasks, "WORKER_SECONDS", 0.8),
            (revocation, "_PAUSE_SECONDS", 0.1),
            (revocation, "_QUICK_PAUSE_SECONDS", 0.03),
            (revocation, "_QUICK_SECONDS", 0.2),
            (triggers, "_REVOKE_PAUSES_SECONDS", (0.05, 0.1, 0.2, 0.4)),
            (earlier_tasks, "_LOOK_INTERVAL_SECONDS", 0.2),
            (earlier_tasks, "_START_SHOWS_SECONDS", 0.5),
            (task_failure, "CONFIRMATION_SECONDS", 0.4),
            (task_failure, "OLDEST_ANSWER_SECONDS", 1.5),
            (task_wait, "CONFIRMATION_SECONDS", 0.4),
            (task_wait, "OLDEST_ANSWER_SECONDS", 1.5),
            (outputs, "_PAUSE_SECONDS", 0.6),
            (outputs, "_STALE_SECONDS", 6.6),
            (waiting_trigger, "WORKER_EXIT_SECONDS", 0.15),
        ):
            stack.enter_context(mock.patch.object(place, name, value))
        yield

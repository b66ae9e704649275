"""Arguments that another version of this package has given to a trigger.

Triggers lie in Airflow's database while the package is upgraded, and a worker may be ahead of the triggerer. A trigger
that refused an argument would fail a waiting task, so it ignores what it does not know and says so.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_sops import __version__

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_sops.task_instance.log import TaskLog

_told: set[tuple[str, tuple[str, ...]]] = set()


def described(trigger: str, names: Collection[str]) -> str:
    """Return what to tell about arguments that a trigger does not know.

    :param trigger: the name of its class.
    """
    return (
        f"{trigger} of airflow-provider-sops {__version__} ignores arguments that it does not know: "
        f"{', '.join(sorted(names))}. If a newer version has made the trigger, upgrade the triggerers; otherwise "
        "correct the names."
    )


def tell_unknown_arguments(trigger: object, names: Collection[str], log: TaskLog) -> None:
    """Write to the log which arguments a trigger ignores.

    A warning the first time in this process and a plain line after that: in a busy triggerer thousands of tasks may
    have been given the same ones, and each task's own log should still say so.

    :param trigger: the trigger, as it begins to run.
    :param names: the arguments' names; often none.
    """
    if not names:
        return
    kind = type(trigger).__name__
    what = (kind, tuple(sorted(names)))
    level = logging.INFO if what in _told else logging.WARNING
    _told.add(what)
    log.log(level, "%s", described(kind, names))

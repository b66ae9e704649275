"""The key that ties SOPS tasks to the Airflow task instance that made them.

SOPS has no client-chosen id and no deduplication, and a task can be searched by its name only. So the name of every
task made here ends in a key, for example ``deploy web #k3vq0z2m5w8ra-2``:

* the digest stands for dag_id, run_id, task_id and map_index: it finds every SOPS task of this task instance;
* the number is Airflow's ``max_tries``, which a retry keeps and a clear raises: equal numbers are one *generation*.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: SOPS refuses names over 100 characters; the key needs up to 20 of them.
MAX_NAME_LENGTH = 80

_DIGEST_LENGTH = 13
_KEY = re.compile(r" #(?P<digest>[a-z2-7]{13})-(?P<generation>\d+)$")


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Identifies the SOPS tasks of one generation of one Airflow task instance.

    :param digest: 13 characters, the same for every try and every clear of the task instance.
    :param generation: ``max_tries`` of the task instance as read on the worker. It must not be computed from
        ``retries``, which may be edited between tries, nor read in the triggerer, where it is always 0.
    """

    digest: str
    generation: int

    @classmethod
    def of(
        cls, *, dag_id: str, run_id: str, task_id: str, map_index: int, max_tries: int, purpose: Sequence[str] = ()
    ) -> TaskKey:
        """Return the key of a task instance; ``map_index`` is -1 for a task that is not mapped.

        :param purpose: what else the SOPS task is known by, where it is not the one that the task instance runs.
        """
        identity = "\0".join((dag_id, run_id, task_id, str(map_index), *purpose))
        digest = base64.b32encode(hashlib.sha256(identity.encode()).digest()).decode().lower()
        return cls(digest[:_DIGEST_LENGTH], max_tries)

    @classmethod
    def in_name(cls, name: str) -> TaskKey | None:
        """Return the key at the end of a SOPS task's name, or ``None`` for a task that was not made here."""
        match = _KEY.search(name)
        return cls(match["digest"], int(match["generation"])) if match else None

    @property
    def keyword(self) -> str:
        """What ``get_task_list`` is asked for, to find every generation."""
        return f"#{self.digest}-"

    def add_to(self, name: str) -> str:
        """Return ``name`` with the key behind it.

        :param name: the part that people see, 1 to 80 characters.
        :raises SopsInvalidParameterError: for an empty or too long name.
        """
        if not name.strip():
            raise SopsInvalidParameterError(
                "the name of a SOPS task is empty", advice="Set a name of 1 to 80 characters."
            )
        if len(name) > MAX_NAME_LENGTH:
            raise SopsInvalidParameterError(
                f"the name of a SOPS task has {len(name)} characters, at most {MAX_NAME_LENGTH} are possible: "
                f"{name[:MAX_NAME_LENGTH]!r}…",
                advice="Shorten the name; SOPS takes 100 characters, 20 of which find the task again.",
            )
        return f"{name} {self.keyword}{self.generation}"

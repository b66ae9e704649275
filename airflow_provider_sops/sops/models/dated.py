"""When a task or a node ran, as its answer says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pendulum


class Dated:
    """An answer with the times of a task or of the last attempt of a node.

    :param raw: the unchanged answer.
    """

    __slots__ = ()

    raw: Mapping[str, Any]

    @property
    def start_time(self) -> pendulum.DateTime | None:
        """When it was started; zone-aware, ``None`` before."""
        return read_time(self.raw.get("start_time"))

    @property
    def finish_time(self) -> pendulum.DateTime | None:
        """When it ended, successfully or not; zone-aware. A status has it only for FINISHED tasks."""
        return read_time(self.raw.get("finish_time") or self.raw.get("end_time"))

"""What a run takes along when it leaves its worker before or after its wait, and goes on with on another one."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_id, read_list, read_mapping, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Interruption:
    """What is known of a run at that moment; it is part of a trigger and of its event, as JSON.

    :param outages: since when calls have got no usable answer, by call, in seconds since the epoch.
    :param sops_task_id: the run's task; ``None`` before it was obtained.
    :param created: the tasks that this try has created, with the addresses where they are claimed.
    :param overcome: marks of the failures whose nodes this try has retried.
    :param retire_until: how long the nodes of revoked tasks are waited for, in seconds since the epoch.
    :param event: how the wait ended, as its trigger has told; ``None`` before that.
    :param deadline: of a sensor, in seconds since the epoch.
    """

    outages: Mapping[str, float] = field(default_factory=dict)
    sops_task_id: int | None = None
    created: Mapping[int, str] = field(default_factory=dict)
    overcome: tuple[str, ...] = ()
    retire_until: float | None = None
    event: Mapping[str, Any] | None = None
    deadline: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        created = {str(sops_task_id): url for sops_task_id, url in self.created.items()}
        return {**asdict(self), "created": created, "overcome": list(self.overcome)}

    @classmethod
    def from_json(cls, data: Any) -> Interruption:
        """Read back what ``to_json`` gave, also where it comes from another version of this package."""
        data = read_mapping(data)
        created = {read_id(text): read_text(url) for text, url in read_mapping(data.get("created")).items()}
        event = data.get("event")
        return cls(
            outages={
                call: float(since)
                for call, since in read_mapping(data.get("outages")).items()
                if isinstance(since, (int, float))
            },
            sops_task_id=read_id(data.get("sops_task_id")),
            created={known: url for known, url in created.items() if known is not None},
            overcome=tuple(map(read_text, read_list(data.get("overcome")))),
            retire_until=data.get("retire_until"),
            event=None if event is None else read_mapping(event),
            deadline=data.get("deadline"),
        )

"""Where a SOPS task lives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Site:
    """Connection, business and scope: only together they tell which task or template an id means.

    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business; ``None``: the one of the connection.
    :param scope: ``cmdb_biz`` or ``project``: how ``bk_biz_id`` is read; ``None``: as the connection says.
    """

    sops_conn_id: str
    bk_biz_id: int | str | None = None
    scope: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The site as the arguments of an operator, a sensor, a trigger or a hook."""
        return {"sops_conn_id": self.sops_conn_id, "bk_biz_id": self.bk_biz_id, "scope": self.scope}

    @property
    def server_name(self) -> str:
        """What the server is called in logs."""
        business = "" if self.bk_biz_id is None else f", bk_biz_id {self.bk_biz_id}"
        return f"SOPS (connection {self.sops_conn_id}{business})"


class AtSite(Protocol):
    """What has the three as attributes of its own, since Airflow renders or serialises them one by one."""

    sops_conn_id: str
    bk_biz_id: int | str | None
    scope: str | None


def site_of(holder: AtSite) -> Site:
    """Return the three attributes of an operator, a sensor, a trigger or a notifier as one value."""
    return Site(holder.sops_conn_id, holder.bk_biz_id, holder.scope)

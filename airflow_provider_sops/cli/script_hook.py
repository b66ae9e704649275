"""The SOPS hook for scripts that run outside an Airflow process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection


class ScriptSopsHook(SopsHook):
    """Also finds connections in Airflow's database, as Airflow's console script does.

    On Airflow 3 a hook can do that only inside a task, through its supervisor.
    """

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return an Airflow connection.

        :raises SopsInvalidParameterError: there is no such connection.
        """
        from airflow.models import Connection as StoredConnection

        try:
            connection: Connection = StoredConnection.get_connection_from_secrets(conn_id)
        except AirflowNotFoundException:
            raise SopsInvalidParameterError(
                f"there is no Airflow connection {conn_id!r}",
                advice=f"Create it, or set AIRFLOW_CONN_{conn_id.upper()}, or name another with --conn-id.",
            ) from None
        return connection

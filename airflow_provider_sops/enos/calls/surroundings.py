"""Calls about what is around the flows: directories and the server's clock."""

from __future__ import annotations

from typing import Any

import pendulum

from airflow_provider_sops.enos.calls.base import EnosCalls
from airflow_provider_sops.enos.calls.parameters import required_text, whole_number
from airflow_provider_sops.enos.models.decoding import read_object
from airflow_provider_sops.service.reading import read_id, read_int, read_text


class SurroundingsCalls(EnosCalls):
    """Calls about directories and the server's clock."""

    def create_directory(self, name: str, *, parent_id: int | str) -> int | None:
        """Create a directory for flows and return its id.

        :param parent_id: the directory that it is to be in.
        """
        api = "create_directory"
        answer = self.call(
            api, parentId=whole_number(api, "parent_id", parent_id), dirName=required_text(api, "name", name)
        )
        return read_id(read_object(answer.data).get("dirId"))

    def list_workflow_directories(self) -> Any:
        """Read the tree of directories, as EnOS gives it."""
        return self.call("list_workflow_directories").data

    def get_current_time(self) -> pendulum.DateTime:
        """Read the server's clock. Needs neither a user nor an organisation."""
        return pendulum.from_timestamp(read_int(self.call("get_current_time").data) / 1000, tz="UTC")

    def get_time_zone(self) -> str:
        """Read the server's time zone, ``GMT+8``."""
        return read_text(read_object(self.call("get_time_zone").data).get("timezone"))

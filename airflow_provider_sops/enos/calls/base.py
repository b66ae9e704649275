"""What every group of calls stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sops.enos.answer import Answer
    from airflow_provider_sops.enos.gateway import ApiVersion


class EnosCalls:
    """Something that can call EnOS by a call's name."""

    @property
    def api_version(self) -> ApiVersion:
        """The version of the API that is called."""
        raise NotImplementedError

    def call(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS; ``EnosHook.call`` says how."""
        raise NotImplementedError

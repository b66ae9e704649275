"""What every group of calls stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sops.sops.answer import Answer


class SopsCalls:
    """Something that can call SOPS by a call's name."""

    def call(self, api: str, *, fresh: bool = False, **parameters: Any) -> Answer:
        """Call SOPS; ``SopsHook.call`` says how."""
        raise NotImplementedError

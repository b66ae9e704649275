"""The Django application for the server's tables."""

from __future__ import annotations

from django.apps import AppConfig


class StoreConfig(AppConfig):
    """Registers :mod:`local_sops.store.models`."""

    name = "local_sops.store"
    label = "local_sops"

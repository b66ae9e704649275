"""SOPS's API behind the gateways: one function per call, from a :class:`~local_sops.api.call.Call` to an answer."""

from __future__ import annotations

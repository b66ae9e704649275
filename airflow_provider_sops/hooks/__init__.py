"""Hooks and asynchronous clients for SOPS and EnOS."""

from __future__ import annotations

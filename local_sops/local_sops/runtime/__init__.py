"""The unmodified engine, driven by a thread pool and a timer heap instead of Celery and a broker."""

from __future__ import annotations

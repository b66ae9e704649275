"""An EnOS for tests and for trying things out: API gateway, token service and batch processing, in memory.

It imports nothing of the package that it checks.
"""

from __future__ import annotations

from tests.enos_server.faults import Fault
from tests.enos_server.plays import Flow, Play, TaskPlay
from tests.enos_server.server import EnosServer

__all__ = ["EnosServer", "Fault", "Flow", "Play", "TaskPlay"]

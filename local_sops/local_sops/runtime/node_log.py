"""What plugins write with their ``logger`` is kept in the engine's tables, node by node."""

from __future__ import annotations

import logging

from pipeline.eri.log import ERINodeLogHandler
from pipeline.eri.log import logger as node_logger


def keep_node_logs() -> None:
    """Keep what plugins log from now on, for get_task_node_log."""
    handler = ERINodeLogHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    node_logger.addHandler(handler)
    node_logger.setLevel(logging.INFO)
    # The server's own log is not the place for what flows say.
    node_logger.propagate = False

"""The log of a node: the lines that its plugin writes with its ``logger``, and the engine's lines around them.

SOPS stores both, including the engine's lines with all variables of the flow in clear text. Here, plugin lines are
stored in the engine's tables. The engine writes thirty times as much, which would slow it down, so its lines for the
latest nodes are kept only in memory.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bamboo_engine.local import get_node_info
from pipeline.eri.log import ERINodeLogHandler
from pipeline.eri.log import logger as node_logger

if TYPE_CHECKING:
    from local_sops.runtime.engine import LocalRuntime

_MOST_NODES = 1000


@dataclass(slots=True)
class _Engine:
    """The engine's lines about one attempt of a node, before and after the plugin's first line."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    plugin_has_spoken: bool = False


class EngineLines(logging.Handler):
    """Keeps the engine's lines about the latest nodes."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._tries: dict[tuple[str, str], _Engine] = {}
        self._changing = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line about a node."""
        node = get_node_info()
        if node is not None:
            said = self._of(node.node_id, node.version)
            (said.after if said.plugin_has_spoken else said.before).append(self.format(record))

    def plugin_speaks(self, node_id: str, version: str) -> None:
        """Mark where the plugin's own lines begin."""
        self._of(node_id, version).plugin_has_spoken = True

    def around(self, node_id: str, version: str | None, plugin_text: str) -> str:
        """Return a plugin's log with the engine's lines around it.

        :param version: of the node's attempt; ``None`` for the latest.
        """
        with self._changing:
            tries = [said for key, said in self._tries.items() if key[0] == node_id and version in (None, key[1])]
        said = tries[-1] if tries else _Engine()
        return "\n".join([*said.before, *filter(None, [plugin_text]), *said.after])

    def _of(self, node_id: str, version: str) -> _Engine:
        with self._changing:
            while len(self._tries) >= _MOST_NODES:
                del self._tries[next(iter(self._tries))]
            return self._tries.setdefault((node_id, version), _Engine())


class _PluginLines(ERINodeLogHandler):
    def emit(self, record: logging.LogRecord) -> None:
        node_id, version = vars(record)["node_id"], vars(record)["version"]
        _ENGINE_LINES.plugin_speaks(node_id, version)
        super().emit(record)


_ENGINE_LINES = EngineLines()


def keep_node_logs() -> None:
    """Keep the log lines of plugins and the engine from now on, for get_task_node_log."""
    handler = _PluginLines()
    for each in (handler, _ENGINE_LINES):
        each.setFormatter(logging.Formatter("%(message)s"))
    node_logger.addHandler(handler)
    node_logger.setLevel(logging.INFO)
    # The flows' lines do not belong in the server's log.
    node_logger.propagate = False
    engine_logger = logging.getLogger("bamboo_engine")
    engine_logger.addHandler(_ENGINE_LINES)
    engine_logger.setLevel(logging.INFO)


def node_log(runtime: LocalRuntime, node_id: str, version: str | None) -> str:
    """Return the log of a node.

    :param version: of the node's attempt; ``None`` for the latest.
    """
    return _ENGINE_LINES.around(node_id, version, runtime.get_plain_log_for_node(node_id, version=version))

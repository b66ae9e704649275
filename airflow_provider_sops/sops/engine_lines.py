"""Remove the engine's lines from a node's log.

SOPS stores a plugin's output together with its engine's lines about the same node: about thirty lines that show all
variables of the flow in clear text. Their format is bamboo-engine's.
"""

from __future__ import annotations

import re

#: Servers since 2021 begin each entry with time and level; a line without them continues the previous entry.
_STAMP = re.compile(r"\[\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[^\]]*\]\s?\[[A-Z]+\] ?")
#: Patterns that occur only in engine lines.
_SAID_BY_ENGINE = re.compile(
    r"\broot[_ ]pipeline\[|\btop_pipeline\(|\[pipeline-trace\]|\[interrupt\(|\[fence\] "
    r"|\[(?:exclusive|conditional_parallel)_gateway\] |\[eri_(?:execute|schedule) worker\]"
    r"|<(?:ContextValue|ExecutionData|CallbackData): ?\{"
)
#: How the entries of the variable renderer begin.
_SAID_BY_RENDERING = re.compile(
    r"pipeline (?:get|resolve) template\[|constant content\(|forbidden (?:template|by whitelist): |isolated render "
)
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")


def without_engine_lines(log_text: str) -> str:
    """Return the plugin's part of a node's log."""
    kept: list[str] = []
    is_engine = is_stamped = in_traceback = False
    for line in log_text.splitlines():
        stamp = _STAMP.match(line)
        if _is_of_engine(line, stamp.end() if stamp else 0):
            is_engine, is_stamped, in_traceback = True, stamp is not None, False
        elif is_engine and not stamp and (is_stamped or in_traceback or _goes_on(line)):
            # The first line that is not indented is the exception, and ends the traceback.
            in_traceback = line.startswith((" ", "\t", _TRACEBACK))
        else:
            is_engine = False
            kept.append(line)
    return "\n".join(kept)


def _is_of_engine(line: str, begin: int) -> bool:
    return _SAID_BY_ENGINE.search(line) is not None or _SAID_BY_RENDERING.match(line, begin) is not None


def _goes_on(line: str) -> bool:
    """Whether a line without a timestamp continues an exception that an engine line reported."""
    return not line or line.startswith((_TRACEBACK, *_CHAINED))

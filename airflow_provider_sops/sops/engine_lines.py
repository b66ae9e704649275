"""The engine's own lines in the log of a node.

SOPS keeps what the plugin of a node writes together with what its engine says of the same node: some thirty lines, all
variables of the flow among them in clear text. Their shape is that of bamboo-engine.
"""

from __future__ import annotations

import re

#: Servers since 2021 begin each entry with time and level; a line without belongs to the entry before it.
_STAMP = re.compile(r"\[\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[^\]]*\]\s?\[[A-Z]+\] ?")
#: What no other line says anywhere.
_SAID_BY_ENGINE = re.compile(
    r"\broot[_ ]pipeline\[|\btop_pipeline\(|\[pipeline-trace\]|\[interrupt\(|\[fence\] "
    r"|\[(?:exclusive|conditional_parallel)_gateway\] |\[eri_(?:execute|schedule) worker\]"
    r"|<(?:ContextValue|ExecutionData|CallbackData): ?\{"
)
#: How entries of the part that renders variables begin.
_SAID_BY_RENDERING = re.compile(
    r"pipeline (?:get|resolve) template\[|constant content\(|forbidden (?:template|by whitelist): |isolated render "
)
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")


def without_engine_lines(log_text: str) -> str:
    """Return what the plugin wrote, out of a node's log."""
    kept: list[str] = []
    is_engine = is_stamped = in_traceback = False
    for line in log_text.splitlines():
        stamp = _STAMP.match(line)
        if _is_of_engine(line, stamp.end() if stamp else 0):
            is_engine, is_stamped, in_traceback = True, stamp is not None, False
        elif is_engine and not stamp and (is_stamped or in_traceback or _goes_on(line)):
            # The line that is not indented is the exception's own, and ends the traceback.
            in_traceback = line.startswith((" ", "\t", _TRACEBACK))
        else:
            is_engine = False
            kept.append(line)
    return "\n".join(kept)


def _is_of_engine(line: str, begin: int) -> bool:
    return _SAID_BY_ENGINE.search(line) is not None or _SAID_BY_RENDERING.match(line, begin) is not None


def _goes_on(line: str) -> bool:
    """Whether a line without a stamp goes on with the exception that an engine's line has told of."""
    return not line or line.startswith((_TRACEBACK, *_CHAINED))

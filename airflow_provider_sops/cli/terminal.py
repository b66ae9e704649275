"""What the commands write: Rich on a terminal, plain text in a pipe. Texts from SOPS are data, never Rich's markup."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_sops.service.text import visible, word

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rich.console import Console

_LONGEST_VALUE = 500

_STYLES = {
    "FINISHED": "green",
    "RUNNING": "cyan",
    "FAILED": "bold red",
    "REVOKED": "magenta",
    "EXPIRED": "magenta",
    "SUSPENDED": "yellow",
    "NODE_SUSPENDED": "yellow",
}


def one_line(text: str) -> str:
    """Return a text, for example a name, on one line and harmless for a terminal."""
    return word(text, _LONGEST_VALUE)


def json_line(value: Any) -> str:
    """Return a value as JSON on one line, harmless for a terminal; at most 500 characters of it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return visible(text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text)} characters)")


def style_of(state: str) -> str:
    """Return Rich's style for a state of SOPS; none for a state without one."""
    return _STYLES.get(state, "")


def console_for(stream: Any) -> Console | None:
    """Return Rich's console for standard output or error; ``None`` if it is not a terminal."""
    if not stream.isatty():
        return None
    # Not needed in a pipe, nor for --help.
    from rich.console import Console

    return Console(file=stream, highlight=False)


@contextlib.contextmanager
def results_apart() -> Iterator[None]:
    """Keep standard output for what ``write`` writes; Airflow logs there too, which goes to standard error instead."""
    before, stdout = _results, sys.stdout
    with contextlib.ExitStack() as stack:
        try:
            number = stdout.fileno()
        except io.UnsupportedOperation:
            _set_results(stdout)
        else:
            stdout.flush()
            kept = os.dup(number)
            stack.callback(os.close, kept)
            _set_results(stack.enter_context(open(kept, "w", encoding=stdout.encoding, closefd=False)))
            # A logger that was set up before holds the old stream: so the file below it is exchanged too.
            os.dup2(sys.stderr.fileno(), number)
            stack.callback(os.dup2, kept, number)
            stack.callback(stdout.flush)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            yield
        finally:
            _set_results(before)


_results: TextIO | None = None


def _set_results(stream: TextIO | None) -> None:
    global _results
    _results = stream


def results() -> TextIO:
    """Return the stream of the results."""
    return _results or sys.stdout


def write(text: str) -> None:
    """Write a result."""
    results().write(text)
    results().flush()


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Collection[str] = ()) -> None:
    """Write rows as a result: a table with a head on a terminal, else lines separated by tabs.

    :param rows: texts that are harmless already; without any nothing is written.
    :param numbers: the columns that hold numbers.
    """
    if not rows:
        return
    console = console_for(results())
    if console is None:
        write("".join("\t".join(row) + "\n" for row in rows))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold", justify="right" if name in numbers else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def write_json(document: Any) -> None:
    """Write a JSON document as a result, in ASCII: so no character of a name can act on a terminal."""
    write(json.dumps(document, indent=2, default=str) + "\n")

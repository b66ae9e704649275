"""The server that the command line names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_sops.dag_generator.template_reader import TemplateReader

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_sops.hooks.sops import SopsHook


def open_hook(options: argparse.Namespace) -> SopsHook:
    """Return a hook, a context manager, for the server named on the command line; it reads the connection later."""
    # Importing Airflow takes seconds; --help and commands on files do not need it.
    from airflow_provider_sops.cli.script_hook import ScriptSopsHook

    return ScriptSopsHook(options.conn_id, bk_biz_id=options.bk_biz_id, scope=options.scope)


@contextmanager
def open_server(options: argparse.Namespace) -> Iterator[TemplateReader]:
    """Open a reader for the server named on the command line.

    :raises SopsInvalidParameterError: there is no such connection, or it is malformed.
    """
    with open_hook(options) as hook:
        yield TemplateReader(hook)

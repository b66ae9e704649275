"""Django's SQLite backend with write-ahead logging and immediate transactions.

Django loads a backend by package and expects a class of this name in its ``base`` module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.sqlite3 import base

if TYPE_CHECKING:
    from sqlite3 import Connection


class DatabaseWrapper(base.DatabaseWrapper):
    """SQLite for concurrent threads.

    A transaction takes the write lock when it begins. A deferred transaction that reads first and writes later fails at
    once with "database is locked", whatever the timeout, if another thread wrote in between.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Open a connection; readers then never wait for the writer."""
        connection: Connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _start_transaction_under_autocommit(self) -> None:
        self.cursor().execute("BEGIN IMMEDIATE")

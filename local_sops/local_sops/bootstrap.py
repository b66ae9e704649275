"""Django, once per process: the engine's tables and ours in one SQLite file.

Nothing that imports models may be imported before :func:`set_up_database` ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

if TYPE_CHECKING:
    from pathlib import Path

TABLES_VERSION = 4
"""Increases with every change of the tables: there are no migrations, a data folder belongs to one version."""
APPS = ("pipeline.eri", "local_sops.store.apps.StoreConfig")


class OtherVersionError(Exception):
    """The database in a folder has other tables."""


def set_up_database(data_folder: Path, timezone_name: str) -> None:
    """Open or create the database in a folder.

    :param data_folder: must exist.
    :param timezone_name: Django's zone for naive dates.
    :raises OtherVersionError: the folder is of another version of this program.
    """
    settings.configure(
        INSTALLED_APPS=list(APPS),
        DATABASES={
            "default": {
                "ENGINE": "local_sops.store.sqlite",
                "NAME": str(data_folder / "local_sops.sqlite3"),
                "CONN_MAX_AGE": None,
                "OPTIONS": {"timeout": 60},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        # Tables are created straight from the models: the engine's many migrations would only take time.
        MIGRATION_MODULES={"eri": None, "local_sops": None},
        LANGUAGE_CODE="zh-hans",
        USE_TZ=True,
        TIME_ZONE=timezone_name,
        # The server sets up logging itself.
        LOGGING_CONFIG=None,
    )
    django.setup()
    with connection.cursor() as cursor:
        (version,) = cursor.execute("PRAGMA user_version").fetchone()
        if version != TABLES_VERSION and "local_sops_task" in connection.introspection.table_names(cursor):
            raise OtherVersionError("it was created by another version of local-sops; use a new folder")
        call_command("migrate", run_syncdb=True, verbosity=0)
        cursor.execute(f"PRAGMA user_version = {TABLES_VERSION}")

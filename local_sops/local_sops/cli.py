"""The command ``local-sops``."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING

from local_sops.data_folder import DataFolderInUseError, claim_data_folder
from local_sops.options import read_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from local_sops.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a server until SIGINT or SIGTERM.

    :param arguments: the command line; default: the process's.
    :returns: the exit code: 0 after a signal, 2 if the server cannot start.
    """
    try:
        config = read_config(arguments)
    except ValueError as error:
        return _complain(error)
    _set_up_logging(verbose=config.verbose)
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, _stop)
    try:
        _serve(config)
    except SystemExit:
        return 0
    except _StartError as error:
        return _complain(error)
    return 0


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    if not verbose:
        # These log a traceback for every refused operation, and a line for every queued request.
        for name in ("pipeline", "waitress.queue"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # Its lines go to the logs of the nodes.
        logging.getLogger("bamboo_engine").propagate = False


class _StartError(Exception):
    """Why the server could not be started."""


def _serve(config: Config) -> None:
    try:
        claim = claim_data_folder(config.data_folder)
    except DataFolderInUseError as error:
        raise _StartError(f"--data {config.data_folder} cannot be used: {error}") from error
    except OSError as error:
        raise _StartError(f"--data {config.data_folder} cannot be used: {error.strerror}") from error
    with claim:
        _serve_claimed(config)


def _serve_claimed(config: Config) -> None:
    # Imported here: Django must be set up before any of the server's models is imported.
    from local_sops.bootstrap import OtherVersionError, set_up_database

    try:
        set_up_database(config.data_folder, config.timezone.key)
    except OtherVersionError as error:
        raise _StartError(f"--data {config.data_folder} cannot be used: {error}") from error

    from local_sops.plugin_folder import PluginFileError
    from local_sops.server import Server
    from local_sops.template_folder import TemplateFileError

    try:
        server = Server(config)
    except OSError as error:
        raise _StartError(f"cannot listen on {config.host} port {config.port}: {error.strerror}") from error
    except (TemplateFileError, PluginFileError) as error:
        raise _StartError(str(error)) from error

    def announce() -> None:
        sys.stdout.write(f"local_sops listening on {server.base_url}\n")
        sys.stdout.flush()

    server.run(announce)


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _complain(error: Exception) -> int:
    sys.stderr.write(f"local-sops: {error}\n")
    return 2

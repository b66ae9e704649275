"""The command ``local-sops``."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_sops import __version__
from local_sops.config import DEFAULT_SECRET, Config
from local_sops.data_folder import DataFolderInUseError, claim_data_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_EPILOG = """\
Connect with app code and secret as given here and any user name, business id 2, by the API gateway
(http://HOST:PORT/prod/...) or the ESB (http://HOST:PORT/api/c/compapi/v2/sops/...).
When the server is ready it prints one line: local_sops listening on http://HOST:PORT
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a server until SIGINT or SIGTERM.

    :param arguments: of the command line; those of the process if left out.
    :returns: the exit code: 0 after a signal, 2 if the server cannot be started as asked.
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


def read_config(arguments: Sequence[str] | None) -> Config:
    """Read the command line.

    :raises ValueError: one setting is wrong; the text says which and why.
    """
    options = _parser().parse_args(arguments)
    secret = options.app_secret or os.environ.get("LOCAL_SOPS_APP_SECRET")
    if not secret and not _is_loopback(options.host):
        raise ValueError(f"--host {options.host} can be reached from elsewhere: give --app-secret as well")
    if options.templates and not options.templates.is_dir():
        raise ValueError(f"--templates {options.templates} is not a folder")
    return Config(
        data_folder=options.data,
        host=options.host,
        port=options.port,
        app_code=options.app_code,
        app_secret=secret or DEFAULT_SECRET,
        user_tokens=dict(options.user_token),
        templates_folder=options.templates,
        timezone=_zone(options.timezone),
        worker_threads=options.worker_threads,
        verbose=options.verbose,
    )


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    if not verbose:
        # These write a traceback for every refused operation, and a line for every queued request.
        for name in ("bamboo_engine", "pipeline", "waitress.queue"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


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
    # Imported here: Django has to be set up before any of the server's models is imported.
    from local_sops.bootstrap import set_up_database

    set_up_database(config.data_folder, config.timezone.key)

    from local_sops.server import Server
    from local_sops.template_folder import TemplateFileError

    try:
        server = Server(config)
    except OSError as error:
        raise _StartError(f"cannot listen on {config.host} port {config.port}: {error.strerror}") from error
    except TemplateFileError as error:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local-sops",
        description="A BlueKing SOPS for your own machine: its HTTP API, on the flow engine that SOPS runs on.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"local-sops {__version__}")
    add("--port", type=_port, required=True, metavar="N", help="port to listen on; 0 takes any free one")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of the database; made if missing")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--templates", type=Path, metavar="DIR", help="more templates: a folder of JSON files (see README)")
    add("--app-code", default="airflow", metavar="CODE", help="the app that may call (default: %(default)s)")
    add(
        "--app-secret",
        metavar="SECRET",
        help=f"its secret; better in LOCAL_SOPS_APP_SECRET (default on loopback: {DEFAULT_SECRET})",
    )
    add(
        "--user-token",
        type=_user_token,
        action="append",
        default=[],
        metavar="TOKEN=USER",
        help="a bk_token or access_token and its user; with any given, a bare bk_username is refused",
    )
    add(
        "--timezone",
        default="Asia/Shanghai",
        metavar="ZONE",
        help="zone of times in answers and in timers (default: %(default)s)",
    )
    add(
        "--worker-threads",
        type=_positive,
        default=8,
        metavar="N",
        help="engine steps that may run at once (default: %(default)s)",
    )
    add("--verbose", action="store_true", help="write to stderr what the engine does, step by step")
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _user_token(text: str) -> tuple[str, str]:
    token, separator, username = text.partition("=")
    if not (token and separator and username):
        raise argparse.ArgumentTypeError("give TOKEN=USER")
    return token, username


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"--timezone {name} is not the name of a time zone, as Asia/Shanghai is") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

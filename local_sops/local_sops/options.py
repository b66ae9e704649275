"""The options of the command ``local-sops``."""

from __future__ import annotations

import argparse
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from local_sops import __version__
from local_sops.ages import AGE_NAMES, CURRENT, Age
from local_sops.config import DEFAULT_SECRET, Config, RateLimit, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WEB_PROCESSES = 5
_EPILOG = """\
Connect with this app code and secret, any user name and business id 2, through the API gateway
(http://HOST:PORT/prod/...) or the ESB (http://HOST:PORT/api/c/compapi/v2/sops/...).
When the server is ready it prints one line: local_sops listening on http://HOST:PORT
"""


def read_config(arguments: Sequence[str] | None) -> Config:
    """Read the command line.

    :raises ValueError: a setting is invalid; the text says which and why.
    """
    options = _parser().parse_args(arguments)
    secret = options.app_secret or os.environ.get("LOCAL_SOPS_APP_SECRET")
    if not secret and not is_loopback(options.host):
        raise ValueError(f"--host {options.host} can be reached from elsewhere: set --app-secret as well")
    if options.templates and not options.templates.is_dir():
        raise ValueError(f"--templates {options.templates} is not a folder")
    if options.plugins and not options.plugins.is_dir():
        raise ValueError(f"--plugins {options.plugins} is not a folder")
    if options.multi_tenant and not Age(options.server).has_app_resources:
        raise ValueError(f"--multi-tenant needs --server 3.35: {options.server} knows no tenants")
    return Config(
        data_folder=options.data,
        host=options.host,
        port=options.port,
        app_code=options.app_code,
        app_secret=secret or DEFAULT_SECRET,
        user_tokens=dict(options.user_token),
        templates_folder=options.templates,
        plugins_folder=options.plugins,
        timezone=_zone(options.timezone),
        worker_threads=options.worker_threads,
        age=Age(options.server),
        multi_tenant=options.multi_tenant,
        web_processes=_web_processes(options),
        rate_limit=options.rate_limit,
        gateway_faults=options.gateway_faults,
        expire_after=None if options.expire_after_days is None else timedelta(days=options.expire_after_days),
        project_constants=_project_constants(options.project_constants),
        allow_scripts=options.allow_scripts,
        verbose=options.verbose,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local-sops",
        description="A BlueKing SOPS for your own machine: its HTTP API, on the flow engine that SOPS uses.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"local-sops {__version__}")
    add("--port", type=_port, required=True, metavar="N", help="port to listen on; 0 takes any free one")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of the database; created if missing")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--templates", type=Path, metavar="DIR", help="more templates: a folder of JSON files (see README)")
    add("--plugins", type=Path, metavar="DIR", help="plugins of your own: a folder of Python files (see README)")
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
        help="a bk_token or access_token and its user; if any is set, a bare bk_username is rejected",
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
    _add_behaviours(parser)
    add("--verbose", action="store_true", help="log the engine's steps to stderr")
    return parser


def _add_behaviours(parser: argparse.ArgumentParser) -> None:
    """Add the options that simulate a busy, old or specially configured server."""
    add = parser.add_argument
    add(
        "--cache-like-production",
        action="store_true",
        help="cache answers for 10 or 60 s, as SOPS does, in several web processes in turn",
    )
    add(
        "--web-processes",
        type=_positive,
        metavar="N",
        help=f"how many, with --cache-like-production (default: {_WEB_PROCESSES})",
    )
    add(
        "--rate-limit",
        type=_rate_limit,
        metavar="N/SECONDS",
        help="make the gateway reject more than N requests in a window of SECONDS",
    )
    add(
        "--gateway-faults",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="make the gateway answer this share of requests (0 to 1) with its own 403, 502 or 504, the last one after "
        "SOPS has acted",
    )
    add(
        "--server",
        choices=AGE_NAMES,
        default=CURRENT.name,
        help="the SOPS to play: a version, or the year of an older one (default: %(default)s)",
    )
    add(
        "--multi-tenant",
        action="store_true",
        help="with --server 3.35: a gateway that asks for X-Bk-Tenant-Id, and for verified users but below system/",
    )
    add(
        "--expire-after-days",
        type=_not_negative,
        metavar="DAYS",
        help="drop the states of older tasks, which become EXPIRED; 0 expires all",
    )
    add(
        "--project-constants",
        type=Path,
        metavar="FILE",
        help='JSON file of project constants, {"<project id>": {"name": "value"}}: ${_env_name} in flows',
    )
    add(
        "--allow-scripts",
        action="store_true",
        help="let script nodes run their scripts: any API caller can then run anything on this machine",
    )


def _web_processes(options: argparse.Namespace) -> int:
    if options.cache_like_production:
        return int(options.web_processes or _WEB_PROCESSES)
    if options.web_processes:
        raise ValueError("--web-processes has no effect without --cache-like-production")
    return 0


def _project_constants(path: Path | None) -> Mapping[int, Mapping[str, str]]:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_bytes())
        return {
            int(project_id): {str(name): str(value) for name, value in constants.items()}
            for project_id, constants in content.items()
        }
    except OSError as error:
        raise ValueError(f"--project-constants {path}: {error.strerror}") from error
    except (ValueError, AttributeError) as error:
        form = '{"<project id>": {"name": "value"}}'
        raise ValueError(f"--project-constants {path} must contain JSON of the form {form}: {error}") from error


def _rate_limit(text: str) -> RateLimit:
    requests, separator, seconds = text.partition("/")
    if not separator or int(requests) < 1 or float(seconds) <= 0:
        raise argparse.ArgumentTypeError(f"{text} must have the form N/SECONDS, for example 100/60")
    return RateLimit(int(requests), float(seconds))


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 0 to 65535")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _user_token(text: str) -> tuple[str, str]:
    token, separator, username = text.partition("=")
    if not (token and separator and username):
        raise argparse.ArgumentTypeError("it must have the form TOKEN=USER")
    return token, username


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"--timezone {name} is not the name of a time zone, for example Asia/Shanghai") from None

"""The command line of ``airflow-sops``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sops.cli import check, show, snapshot
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.gateway import SCOPES

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Exit codes: no difference, a difference, an error.
SAME, DIFFERENT, FAILED = 0, 1, 2

_DESCRIPTION = """\
Snapshots of SOPS templates, from which DAG files build Airflow DAGs without calling SOPS.
"""
_EPILOG = """\
Examples:
  airflow-sops snapshot 8 --output dags/deploy.json     one template into one file
  airflow-sops snapshot --all dags/flows                all templates of the project into a folder
  airflow-sops check dags/flows                         do they still match the server?
  airflow-sops show dags/deploy.json --svg deploy.svg   what is in it
  airflow-sops snapshot --from-export flows.dat         what SOPS exported, without SOPS

SOPS is reached through an Airflow connection of type "sops" from AIRFLOW_CONN_<ID>, a secrets backend or Airflow's
database, as configured on this machine.

Exit code: 0 success; 1 (check only) a difference; 2 an error.
"""
_FROM_EXPORT = "read templates from a file that SOPS exported (.dat, YAML, or the JSON in a .dat) instead of the server"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    :param arguments: without the program's name; default: the process's.
    :return: the exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if wrong := _wrong_combination(options):
        parser.error(wrong)
    try:
        if options.command == "snapshot":
            snapshot.run(options)
        elif options.command == "show":
            show.run(options)
        else:
            return SAME if check.run(options) else DIFFERENT
    except (SopsError, OSError) as error:
        sys.stderr.write(f"airflow-sops {options.command}: {error}\n")
        return FAILED
    return SAME


def _wrong_combination(options: argparse.Namespace) -> str:
    """Return what is wrong with options that do not go together; empty if nothing is."""
    if options.command == "check":
        return ""
    if options.from_export:
        return "--common is about templates on the server" if options.common else ""
    if options.command == "show":
        named = [each for each in (options.path, options.template_id) if each is not None]
        if len(named) != 1:
            return "name one of FILE, --template and --from-export"
    elif options.template_id is None and options.folder is None:
        return "name one of TEMPLATE_ID, --all and --from-export"
    if options.template_id is not None and not (options.template_id.isascii() and options.template_id.isdigit()):
        return f"invalid template id: {options.template_id!r}"
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "airflow-sops",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_snapshot(commands)
    _add_check(commands)
    _add_show(commands)
    return parser


def _add_snapshot(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "snapshot",
        help="write templates into JSON files",
        description="Write one template, or all of a project or an export, into JSON files. Files that are up to date"
        " and those of other templates are left alone. Subprocesses are unfolded; values of password variables are"
        " never written.",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "template_id", nargs="?", metavar="TEMPLATE_ID", help="the template's id in SOPS, or in the export"
    )
    what.add_argument(
        "--all",
        type=Path,
        metavar="FOLDER",
        dest="folder",
        help="write all templates into this folder; a renamed template keeps its file",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write the template; default: <name>_<id>.json here"
    )
    parser.add_argument("--name", metavar="TEXT", help="with --all: only templates whose name contains this")
    parser.add_argument("--from-export", type=Path, metavar="FILE", help=_FROM_EXPORT)
    parser.add_argument("--common", action="store_true", help="use common templates, which all projects share")
    _add_connection(parser)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="compare snapshots with the server",
        description="Compare snapshots with the templates on the server and print the differences. Positions in the"
        " editor do not matter. Exit code 0: no difference; 1: a difference; 2: an error.",
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="snapshots, or folders of them")
    _add_connection(parser)


def _add_show(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "show",
        help="show a tree as text, or as a picture",
        description="Show a snapshot, any JSON file that contains a tree, a template on the server, or an export.",
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("path", nargs="?", type=Path, metavar="FILE", help="a snapshot")
    what.add_argument("--from-export", type=Path, metavar="FILE", help=_FROM_EXPORT)
    parser.add_argument(
        "--template",
        dest="template_id",
        metavar="TEMPLATE_ID",
        help="a template on the server; with --from-export, only this one of the export",
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture instead of the text")
    parser.add_argument(
        "--subprocess",
        default="",
        metavar="ID",
        help="only this subprocess: its node id, preceded by those of its enclosing subprocesses, separated by slashes",
    )
    parser.add_argument("--common", action="store_true", help="with --template: it is a common template")
    _add_connection(parser)


def _add_connection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument(
        "--conn-id", default="sops_default", metavar="ID", help="the Airflow connection (default: %(default)s)"
    )
    group.add_argument("--bk-biz-id", metavar="ID", help="the business or project; default: the connection's")
    group.add_argument("--scope", choices=SCOPES, help="the meaning of that id; default: the connection's")

"""The commands of ``airflow-sops`` and of ``airflow sops``, one table for both."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.cli.terminal import results_apart
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.gateway import SCOPES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

#: Exit codes. SUCCESS: what was asked for is done, or true. NOT_SO: it is not (see each command's description).
#: FAILED: it could not be done or found out. NOT_OVER: the SOPS task has not ended. INTERRUPTED: Ctrl-C.
SUCCESS, NOT_SO, FAILED, NOT_OVER, INTERRUPTED = 0, 1, 2, 3, 130

TEXT, JSON = "text", "json"


@dataclass(frozen=True, slots=True)
class Option:
    """An option, or an argument without a name of its own.

    :param flags: as ``argparse`` takes them.
    :param keywords: likewise; only those that ``airflow.cli.cli_config.Arg`` takes too.
    """

    flags: tuple[str, ...]
    keywords: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    :param module: the module whose ``run(options)`` does it and returns the exit code.
    :param description: its exit codes besides 0 and 2 among it.
    """

    name: str
    module: str
    help: str
    description: str
    options: tuple[Option, ...]

    def run(self, options: argparse.Namespace) -> int:
        """Run the command, write an error of SOPS or of a file to standard error, and return the exit code."""
        # Each command imports what it needs: --help is to be quick, and Airflow imports this table for its own program.
        try:
            with results_apart():
                code: int = import_module(self.module).run(options)
        except (SopsError, OSError) as error:
            sys.stderr.write(f"airflow-sops {self.name}: {error}\n")
            return FAILED
        except KeyboardInterrupt:
            sys.stderr.write(f"airflow-sops {self.name}: interrupted\n")
            return INTERRUPTED
        return code


def _option(*flags: str, **keywords: Any) -> Option:
    return Option(flags, keywords)


_FROM_EXPORT = _option(
    "--from-export",
    type=Path,
    metavar="FILE",
    help="read templates from a file that SOPS exported (.dat, YAML, or the JSON in a .dat) instead of the server",
)
_CONNECTION = (
    _option(
        "--conn-id", default="sops_default", metavar="ID", help="the Airflow connection to SOPS (default: sops_default)"
    ),
    _option("--bk-biz-id", metavar="ID", help="the business or project; default: the connection's"),
    _option("--scope", choices=SCOPES, help="the meaning of that id; default: the connection's"),
)
_OUTPUT = _option(
    "--output",
    choices=(TEXT, JSON),
    default=TEXT,
    help="json: one JSON document on standard output (default: text)",
)
_COMMON = _option("--common", action="store_true", help="use common templates, which all projects share")
_TASK_ID = _option("task_id", metavar="TASK_ID", help="the task's id in SOPS")
_POLL_SECONDS = _option(
    "--poll-seconds",
    metavar="SECONDS",
    help="the time between two looks at the task (default: 3)",
)
_TIMEOUT_SECONDS = _option(
    "--timeout-seconds",
    metavar="SECONDS",
    help="stop following after this time; the task goes on. Default: no limit",
)
_ENDS = "Exit code 0: the task is FINISHED; 1: it has failed, was revoked or is EXPIRED; 2: an error; 3: it is not over"

COMMANDS = (
    Command(
        "list",
        "airflow_provider_sops.cli.listing",
        "list templates",
        "List the templates of the project, or the common ones. On a terminal a table; otherwise one line a template,"
        " separated by tabs.",
        (
            _option("--name", metavar="TEXT", help="only templates whose name contains this, in any case"),
            _option("--category", metavar="TEXT", help="only templates of this category, for example OpsTools"),
            _option("--user", metavar="NAME", help="only templates that this user has created or edited last"),
            _COMMON,
            _OUTPUT,
            *_CONNECTION,
        ),
    ),
    Command(
        "run",
        "airflow_provider_sops.cli.run",
        "create a task from a template, start it and follow it",
        "Create a task from a template, start it and follow it to its end. If an answer of SOPS is lost, the task is"
        f" looked for before another is created, as the operators do. {_ENDS}, or its end is not known; 130: Ctrl-C,"
        " which leaves the task as it is.",
        (
            _option("template_id", metavar="TEMPLATE_ID", help="the template's id in SOPS"),
            _option("--name", metavar="TEXT", help="the task's name, at most 80 characters; default: the template's"),
            _option(
                "--constant",
                action="append",
                metavar="KEY=VALUE",
                help="a text for the constant ${KEY}; may be given several times. KEY:=JSON gives a number, a list or"
                " another JSON value",
            ),
            _option(
                "--constants",
                type=Path,
                metavar="FILE",
                help="values as a JSON object, from a file, or - for standard input: for passwords, which a command"
                " line shows to everybody on the machine",
            ),
            _option("--exclude", action="append", metavar="NODE_ID", help="leave out this optional node"),
            _option("--scheme", action="append", metavar="ID", help="use this execution scheme of the template"),
            _option(
                "--key",
                metavar="TEXT",
                help="a word for this run: with the same key, template and connection a second call follows the task"
                " of the first one instead of creating another",
            ),
            _option("--detach", action="store_true", help="start the task and do not follow it"),
            _COMMON,
            _POLL_SECONDS,
            _TIMEOUT_SECONDS,
            _OUTPUT,
            *_CONNECTION,
        ),
    ),
    Command(
        "status",
        "airflow_provider_sops.cli.status",
        "show a task and its nodes, or follow it",
        f"Show the state of a task and of its nodes. {_ENDS}; 130: Ctrl-C.",
        (
            _TASK_ID,
            _option("--follow", action="store_true", help="follow the task to its end"),
            _POLL_SECONDS,
            _TIMEOUT_SECONDS,
            _OUTPUT,
            *_CONNECTION,
        ),
    ),
    Command(
        "revoke",
        "airflow_provider_sops.cli.revoke",
        "revoke a task",
        "Revoke a task: SOPS lets the node that runs finish and starts no other. Exit code 0: it is REVOKED; 1: it had"
        " ended before; 2: an error, and it may still run.",
        (_TASK_ID, *_CONNECTION),
    ),
    Command(
        "doctor",
        "airflow_provider_sops.cli.doctor",
        "check the connection, and say what to do",
        "Check the connection, the gateway, the app and user, the business, the permissions and the age of the server,"
        " with requests that only read. Exit code 0: all is well; 1: something is wrong; the line says what to do.",
        (_OUTPUT, *_CONNECTION),
    ),
    Command(
        "snapshot",
        "airflow_provider_sops.cli.snapshot",
        "write templates into JSON files",
        "Write one template, or all of a project or an export, into JSON files. Files that are up to date"
        " and those of other templates are left alone. Subprocesses are unfolded; values of password variables are"
        " never written.",
        (
            _option("template_id", nargs="?", metavar="TEMPLATE_ID", help="the template's id in SOPS or the export"),
            _option(
                "--all",
                type=Path,
                metavar="FOLDER",
                dest="folder",
                help="write all templates into this folder; a renamed template keeps its file",
            ),
            _option(
                "--output",
                type=Path,
                metavar="FILE",
                help="where to write the template; default: <name>_<id>.json here",
            ),
            _option("--name", metavar="TEXT", help="with --all: only templates whose name contains this, in any case"),
            _option(
                "--category",
                metavar="TEXT",
                help="with --all: only templates of this category, for example OpsTools; exports do not tell it",
            ),
            _FROM_EXPORT,
            _COMMON,
            *_CONNECTION,
        ),
    ),
    Command(
        "check",
        "airflow_provider_sops.cli.check",
        "compare snapshots with the server",
        "Compare snapshots with the templates on the server and print the differences. Positions in the"
        " editor do not matter. Exit code 0: no difference; 1: a difference; 2: an error.",
        (
            _option("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="snapshots, or folders of them"),
            *_CONNECTION,
        ),
    ),
    Command(
        "show",
        "airflow_provider_sops.cli.show",
        "show a tree as text, or as a picture",
        "Show a snapshot, any JSON file that contains a tree, a template on the server, or an export.",
        (
            _option("path", nargs="?", type=Path, metavar="FILE", help="a snapshot"),
            _FROM_EXPORT,
            _option(
                "--template",
                dest="template_id",
                metavar="TEMPLATE_ID",
                help="a template on the server; with --from-export, only this one of the export",
            ),
            _option("--svg", type=Path, metavar="FILE", help="write a picture instead of the text"),
            _option(
                "--subprocess",
                default="",
                metavar="ID",
                help="only this subprocess: its node id, preceded by those of its enclosing subprocesses, separated by"
                " slashes",
            ),
            _option("--common", action="store_true", help="with --template: it is a common template"),
            *_CONNECTION,
        ),
    ),
)

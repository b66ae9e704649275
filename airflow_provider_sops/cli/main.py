"""The two ways to the commands: the program ``airflow-sops``, and ``airflow sops`` where Airflow has such commands."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.cli.commands import COMMANDS, FAILED, Command
from airflow_provider_sops.cli.option_rules import wrong_combination

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.cli.cli_config import Arg, GroupCommand

    from airflow_provider_sops.cli.commands import Option

_DESCRIPTION = """\
BlueKing SOPS from the command line: find templates, run tasks, check a connection, and write snapshots, from which DAG
files build Airflow DAGs without calling SOPS.
"""
_EPILOG = """\
Examples:
  airflow-sops doctor                                   does the connection work, and what can this SOPS do?
  airflow-sops list --name deploy                       templates
  airflow-sops run 8 --constant version=1.2             create a task, start it and follow it
  airflow-sops status 25 --follow                       follow a task that runs
  airflow-sops snapshot 8 --output dags/deploy.json     one template into one file
  airflow-sops snapshot --all dags/flows                all templates of the project into a folder
  airflow-sops check dags/flows                         do they still match the server?
  airflow-sops show dags/deploy.json --svg deploy.svg   what is in it
  airflow-sops snapshot --from-export flows.dat         what SOPS exported, without SOPS

SOPS is reached through an Airflow connection of type "sops" from AIRFLOW_CONN_<ID>, a secrets backend or Airflow's
database, as configured on this machine.

Exit code: 0 success; 1 not so (see each command's --help); 2 an error; 3 the SOPS task is not over; 130 Ctrl-C.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    :param arguments: without the program's name; default: the process's.
    :return: the exit code.
    """
    options = _parser().parse_args(arguments)
    command: Command = options.command
    if wrong := wrong_combination(command.name, options):
        options.parser.error(wrong)
    return command.run(options)


def airflow_commands() -> list[GroupCommand]:
    """Return the commands as Airflow's own program takes them; named by ``cli`` of the provider info.

    Airflow 3.3 reads it; 2.11 does not, and has only ``airflow-sops``.
    """
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    return [
        GroupCommand(
            name="sops",
            help="BlueKing SOPS: templates, tasks, snapshots",
            description=_DESCRIPTION,
            subcommands=[
                ActionCommand(
                    name=command.name,
                    help=command.help,
                    description=command.description,
                    func=_airflow_function(command),
                    args=[_argument(option) for option in command.options],
                )
                for command in COMMANDS
            ],
        )
    ]


def _argument(option: Option) -> Arg:
    from airflow.cli.cli_config import Arg

    untyped: Any = Arg
    argument: Arg = untyped(option.flags, **option.keywords)
    return argument


def _airflow_function(command: Command) -> Callable[[argparse.Namespace], None]:
    def run(options: argparse.Namespace) -> None:
        if wrong := wrong_combination(command.name, options):
            sys.stderr.write(f"airflow sops {command.name}: {wrong}\n")
            sys.exit(FAILED)
        sys.exit(command.run(options))

    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "airflow-sops",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(command.name, help=command.help, description=command.description, allow_abbrev=False)
        own.set_defaults(command=command, parser=own)
        for option in command.options:
            own.add_argument(*option.flags, **option.keywords)
    return parser

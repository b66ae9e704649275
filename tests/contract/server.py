"""Which SOPS the contract suite drives, of which age, and which of the things that its cases need are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.aged_sops import AGES, DEFAULT_AGE, is_at_least

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

AGE = "SOPS_CONTRACT_SERVER"
CONNECTION = "SOPS_CONTRACT_CONNECTION"
ESB_CONNECTION = "SOPS_CONTRACT_ESB_CONNECTION"
ANY_TEMPLATE = "SOPS_CONTRACT_ANY_TEMPLATE"
OTHER_PROJECT = "SOPS_CONTRACT_OTHER_PROJECT"
TEMPLATE_PREFIX = "SOPS_CONTRACT_TEMPLATE_"

#: An id that no task, template or business has.
NO_SUCH_ID = 999_999_999

#: The templates of local_sops, one JSON file each: what a case means by a template's name.
TEMPLATE_FILES: Mapping[str, Path] = {
    path.stem: path for path in (Path(__file__).parents[2] / "local_sops/local_sops/templates").rglob("*.json")
}
#: Templates that an import cannot bring: common ones, those whose subprocesses an administrator makes independent, and
#: one that needs ITSM beside SOPS.
NOT_IMPORTABLE = frozenset({"common_linear", "independent", "independent_fail", "independent_pause", "approval"})


@dataclass(frozen=True)
class Need:
    """One thing that a case needs of the server.

    :param kind: the marker that declared it: ``template`` (exactly this template), ``flow`` (a task that runs
        like it), ``esb`` (the older gateway) or ``other_project`` (one that is not the connection's).
    :param name: the template's, else empty.
    """

    kind: str
    name: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that meets the need on a server that is not local_sops."""
        by_kind = {"esb": ESB_CONNECTION, "other_project": OTHER_PROJECT}
        return by_kind.get(self.kind) or TEMPLATE_PREFIX + self.name.upper()


def needs_of(item: pytest.Item) -> tuple[Need, ...]:
    """Return what a case's markers declare.

    :raises ValueError: a marker names a template that local_sops does not have.
    """
    needs = [Need(kind, str(name)) for kind in ("template", "flow") for name in _arguments(item, kind)]
    needs += [Need(kind) for kind in ("esb", "other_project") if item.get_closest_marker(kind)]
    for need in needs:
        if need.name and need.name not in TEMPLATE_FILES:
            raise ValueError(f"{item.nodeid} needs the {need.kind} {need.name!r}, which is no template of local_sops")
    return tuple(dict.fromkeys(needs))


def fits_age(item: pytest.Item, age: str) -> bool:
    """Tell whether a case says something about a server of an age."""
    since, until = (_arguments(item, kind) for kind in ("since", "until"))
    return all(is_at_least(age, str(first)) for first in since) and all(is_at_least(str(last), age) for last in until)


def age_from_environment(environment: Mapping[str, str]) -> str:
    """Read which age the server has, or local_sops is to play.

    :raises ValueError: there is no such age.
    """
    age = environment.get(AGE) or DEFAULT_AGE
    if age not in AGES:
        raise ValueError(f"{AGE} is {age!r}: it must be one of {', '.join(AGES)}")
    return age


def _arguments(item: pytest.Item, marker: str) -> Iterable[object]:
    return (name for mark in item.iter_markers(marker) for name in mark.args)


#: The template that belongs into the other project.
OTHER_PROJECTS_TEMPLATE = "plain_project"


@dataclass(frozen=True)
class ForeignServer:
    """A SOPS that is already there, as the environment describes it.

    :param connection: the value of an ``AIRFLOW_CONN_<ID>``, JSON or URI.
    :param esb_connection: the same SOPS through ESB.
    :param template_ids: those that are there already, by the name of local_sops's template that each is like.
    :param any_template: a template of the business that tasks with a tree of their own are created with. If it is set,
        nothing is imported: for an app that may not import.
    :param other_project: SOPS's own id of a project that ``bk_biz_id`` of the connection does not mean.
    """

    connection: str = field(repr=False)
    esb_connection: str | None = field(default=None, repr=False)
    template_ids: Mapping[str, int] = field(default_factory=dict)
    any_template: int | None = None
    other_project: int | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ForeignServer | None:
        """Read the ``SOPS_CONTRACT_*`` variables; ``None`` if they name no server, so that local_sops is meant.

        :raises ValueError: an id is no number, or a template is none that a case could need.
        """
        if CONNECTION not in environment:
            return None
        ids = {
            variable.removeprefix(TEMPLATE_PREFIX).lower(): _number(environment, variable)
            for variable in environment
            if variable.startswith(TEMPLATE_PREFIX)
        }
        unknown = sorted(set(ids) - set(TEMPLATE_FILES))
        if unknown:
            raise ValueError(
                f"{TEMPLATE_PREFIX}{unknown[0].upper()}: there is no template {unknown[0]!r} in local_sops"
            )
        return cls(
            connection=environment[CONNECTION],
            esb_connection=environment.get(ESB_CONNECTION),
            template_ids={name: number for name, number in ids.items() if number is not None},
            any_template=_number(environment, ANY_TEMPLATE),
            other_project=_number(environment, OTHER_PROJECT),
        )

    def has(self, need: Need) -> bool:
        """Tell whether the environment names what a case needs."""
        if need.kind == "esb":
            return self.esb_connection is not None
        if need.kind == "other_project":
            return self.other_project is not None
        if need.name in self.template_ids:
            return True
        if self.any_template is not None:
            return need.kind == "flow"
        importable = need.name not in NOT_IMPORTABLE
        return importable and (need.name != OTHER_PROJECTS_TEMPLATE or self.other_project is not None)


def _number(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    raise ValueError(f"{variable} is {text!r}, not an id")

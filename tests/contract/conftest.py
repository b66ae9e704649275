"""The contract suite's server, its hooks, and the report of what was not run for want of templates."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.sops.models import TaskState
from tests.aged_sops import DEFAULT_AGE, is_at_least, run_local_sops
from tests.contract.export import bring, exported_names
from tests.contract.flows import Flows
from tests.contract.server import (
    CONNECTION,
    OTHER_PROJECTS_TEMPLATE,
    ForeignServer,
    age_from_environment,
    fits_age,
    needs_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.sops.models import CreatedTask, TaskStatus
    from demo.local_sops import LocalSops
    from tests.contract.server import Need

_FOLDER = Path(__file__).parent
_SERVER = pytest.StashKey["ForeignServer | None"]()
_AGE = pytest.StashKey[str]()
_NEEDS = pytest.StashKey[dict[str, "tuple[Need, ...]"]]()
_NOT_RUN = pytest.StashKey[dict[str, "tuple[Need, ...]"]]()
_DRIVEN = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "template(name): needs this template of local_sops itself",
        "flow(name): needs a task that runs like this template of local_sops",
        "esb: needs ESB beside the API gateway",
        "other_project: needs a project beside the connection's, by SOPS's own id",
        "since(age): what SOPS does from this age on",
        "until(age): what SOPS did up to this age",
    ):
        config.addinivalue_line("markers", marker)
    try:
        config.stash[_SERVER] = ForeignServer.from_environment(os.environ)
        config.stash[_AGE] = age_from_environment(os.environ)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_NEEDS], config.stash[_NOT_RUN], config.stash[_DRIVEN] = {}, {}, []


def pytest_report_header(config: pytest.Config) -> str:
    server = "local_sops" if config.stash[_SERVER] is None else f"the server of {CONNECTION}"
    age = config.stash[_AGE]
    return f"contract: drives {server} as a SOPS of {age}; tests/contract/README.md says how to name another"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    server = config.stash[_SERVER]
    cases = [item for item in items if _FOLDER in item.path.parents]
    not_run = [case for case in cases if not fits_age(case, config.stash[_AGE])]
    for case in cases:
        if case in not_run:
            continue
        needs = config.stash[_NEEDS][case.nodeid] = needs_of(case)
        missing = tuple(need for need in needs if server is not None and not server.has(need))
        if missing:
            config.stash[_NOT_RUN][case.nodeid] = missing
            not_run.append(case)
    if not_run:
        config.hook.pytest_deselected(items=not_run)
        items[:] = [item for item in items if item not in not_run]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    not_run = config.stash[_NOT_RUN]
    if not (not_run or _is_named(config)):
        return
    terminalreporter.section("contract suite: what its cases need")
    for driven in config.stash[_DRIVEN]:
        terminalreporter.line(f"server: {driven}")
    asked = Counter(need for needs in config.stash[_NEEDS].values() for need in needs)
    missing = Counter(need for needs in not_run.values() for need in needs)
    for need in sorted(asked, key=lambda need: (need.kind, need.name)):
        run = f"{asked[need]:3} cases" + (f", {missing[need]} not run" if missing[need] else "")
        terminalreporter.line(f"{need.kind:13} {need.name:20} {run}")
    if not_run:
        terminalreporter.section(f"contract suite: {len(not_run)} cases not run")
        cases = Counter((nodeid.rpartition("/")[2].partition("[")[0], needs) for nodeid, needs in not_run.items())
        for (case, needs), number in cases.items():
            wanted = ", ".join(need.variable for need in needs)
            terminalreporter.line(f"{case}{f' ({number} times)' if number > 1 else ''}: set {wanted}")


def _is_named(config: pytest.Config) -> bool:
    """Tell whether the suite itself was asked for, and not all tests."""
    paths = (config.invocation_params.dir / argument.partition("::")[0] for argument in config.args)
    return any(_FOLDER in (path.resolve(), path.resolve().parent) for path in paths)


@pytest.fixture(scope="session")
def foreign_server(pytestconfig: pytest.Config) -> ForeignServer | None:
    """The server that the environment names; ``None``: it is local_sops."""
    return pytestconfig.stash[_SERVER]


@pytest.fixture(scope="session")
def server_age(pytestconfig: pytest.Config) -> str:
    """The age of the server."""
    return pytestconfig.stash[_AGE]


@pytest.fixture(scope="session")
def aged_sops(
    request: pytest.FixtureRequest, server_age: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalSops]:
    """The local_sops that is driven, of the wanted age."""
    if server_age == DEFAULT_AGE:
        yield request.getfixturevalue("local_sops")
        return
    with run_local_sops(tmp_path_factory.mktemp("aged_sops"), "--server", server_age) as sops:
        yield sops


@pytest.fixture(scope="session")
def hook(request: pytest.FixtureRequest, foreign_server: ForeignServer | None) -> Iterator[SopsHook]:
    """A hook on the server."""
    if foreign_server is None:
        connection = request.getfixturevalue("aged_sops").connection_json()
    else:
        connection = foreign_server.connection
    yield from _connected(request.config, "sops_contract", connection)


@pytest.fixture(scope="session")
def esb_hook(request: pytest.FixtureRequest, foreign_server: ForeignServer | None) -> Iterator[SopsHook]:
    """A hook on the same SOPS through ESB; for cases marked ``esb``."""
    if foreign_server is None:
        connection = request.getfixturevalue("aged_sops").connection_json(gateway="esb")
    else:
        connection = foreign_server.esb_connection
    yield from _connected(request.config, "sops_contract_esb", connection)


@pytest.fixture(params=["connection", pytest.param("esb", marks=pytest.mark.esb)])
def gateway_hook(request: pytest.FixtureRequest) -> SopsHook:
    """A hook on the server, once for each of its gateways."""
    hook: SopsHook = request.getfixturevalue("hook" if request.param == "connection" else "esb_hook")
    return hook


@pytest.fixture(scope="session")
def other_project(hook: SopsHook, foreign_server: ForeignServer | None) -> Iterator[SopsHook]:
    """A hook on a project that is not the connection's; for cases marked ``other_project``."""
    project_id = 2 if foreign_server is None else foreign_server.other_project
    with SopsHook(hook.sops_conn_id, bk_biz_id=project_id, scope="project") as other:
        yield other


@pytest.fixture(scope="session")
def template_ids(
    request: pytest.FixtureRequest, hook: SopsHook, foreign_server: ForeignServer | None, server_age: str
) -> dict[str, int]:
    """Ids of the server's templates by the names of local_sops's: of imported ones wherever that is possible."""
    if foreign_server is not None:
        there = dict(foreign_server.template_ids)
        may_import = foreign_server.any_template is None
        imports_into_other = may_import and foreign_server.other_project is not None
    else:
        templates = [*hook.get_template_list(), *hook.get_common_template_list()]
        there = {item.name: item.id for item in templates if item.id is not None}
        may_import = imports_into_other = is_at_least(server_age, "2020")
    if not may_import:
        return there
    imported = bring(hook, exported_names())
    if imports_into_other:
        imported |= bring(request.getfixturevalue("other_project"), [OTHER_PROJECTS_TEMPLATE])
    return {**there, **imported, **(foreign_server.template_ids if foreign_server else {})}


@pytest.fixture(scope="session")
def any_template(template_ids: dict[str, int], foreign_server: ForeignServer | None) -> int:
    """The template that tasks of the flow ``quick`` are created with; for cases marked ``flow("quick")``."""
    found = template_ids.get("quick", foreign_server.any_template if foreign_server else None)
    assert found is not None, "the case needs a template that it does not declare"
    return found


@pytest.fixture(scope="session")
def flows(hook: SopsHook, template_ids: dict[str, int], foreign_server: ForeignServer | None) -> Iterator[Flows]:
    """Makes tasks; what still runs in the end is revoked."""
    flows = Flows(hook, template_ids, foreign_server.any_template if foreign_server else None)
    yield flows
    flows.revoke_running()


@pytest.fixture(scope="session")
def finished_linear(flows: Flows) -> tuple[CreatedTask, TaskStatus]:
    """A finished task of the flow ``linear``; for cases marked ``flow("linear")`` that only read."""
    return flows.run("linear", constants={"${who}": "Ada", "${seconds}": "2"})


@pytest.fixture(scope="session")
def failed(flows: Flows) -> tuple[CreatedTask, TaskStatus]:
    """A failed task of the flow ``fail``; for cases marked ``flow("fail")`` that only read."""
    return flows.run("fail", TaskState.FAILED)


def _connected(config: pytest.Config, conn_id: str, connection: str | None) -> Iterator[SopsHook]:
    assert connection is not None, "the case needs a connection that it does not declare"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
        with SopsHook(conn_id) as hook:
            gateway = hook.connection.gateway
            config.stash[_DRIVEN].append(f"{gateway.root} through {gateway.kind}")
            yield hook

"""A SOPS that has what a test gives it and counts what it is asked, and a folder for the bundles of each test."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.dag_generator.flow_trees import tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

# Airflow 2 has no bundles: what the module says there is in test_airflow_2.py.
collect_ignore_glob = [] if AIRFLOW_V_3_0_PLUS else ["test_[!a]*.py"]


class FakeSops:
    """A server with templates.

    :ivar templates: by id, without the tree what get_template_list says.
    :ivar common: the common ones.
    :ivar refusals: codes for get_template_info, by template id.
    :ivar silent: ids of templates about which nothing is answered.
    :ivar is_away: whether nothing at all is answered.
    :ivar leaves_at: the template that it is asked for when it goes away.
    :ivar asked: how often each call, or each template, ``"get_template_info 12"``, was asked for.
    """

    def __init__(self, httpserver: HTTPServer) -> None:
        self.templates: dict[int, dict[str, Any]] = {}
        self.common: dict[int, dict[str, Any]] = {}
        self.refusals: dict[int, int] = {}
        self.silent: set[int] = set()
        self.is_away = False
        self.leaves_at: int | None = None
        self.asked: Counter[str] = Counter()
        httpserver.expect_request(re.compile("/prod/.*")).respond_with_handler(self._answer)

    def save(self, number: int, edit_time: str = "1", *, common: bool = False, **fields: Any) -> None:
        """Save a template, as people do in SOPS's editor."""
        templates = self.common if common else self.templates
        new = {"id": number, "name": f"flow {number}", "category": "Night", "pipeline_tree": tree("s > a > e")}
        templates[number] = {**new, **templates.get(number, {}), "edit_time": edit_time, **fields}

    def questions(self) -> dict[str, int]:
        """Return what was asked for since the last time, besides the lists."""
        asked = {key: count for key, count in self.asked.items() if key.startswith("get_template_info ")}
        self.asked.clear()
        return asked

    def _answer(self, request: Request) -> Response:
        call = request.path.split("/")[2]
        self.asked[call] += 1
        if self.is_away:
            return _response({}, 503)
        if call == "get_template_list":
            common = request.args.get("template_source") == "common"
            found = (self.common if common else self.templates).values()
            return _success([{key: value for key, value in one.items() if key != "pipeline_tree"} for one in found])
        if call == "get_template_info":
            return self._template(int(request.path.split("/")[3]), request.args.get("template_source") == "common")
        return _success([])

    def _template(self, number: int, common: bool) -> Response:
        self.asked[f"get_template_info {number}"] += 1
        self.is_away |= number == self.leaves_at
        if self.is_away or number in self.silent:
            return _response({}, 503)
        found = (self.common if common else self.templates).get(number)
        code = self.refusals.get(number, 0 if found else 3540400)
        return _response({"result": False, "code": code, "message": "no"}) if code else _success(found)


def _success(data: Any) -> Response:
    return _response({"result": True, "code": 0, "data": data})


def _response(content: Any, status: int = 200) -> Response:
    from werkzeug import Response

    return Response(json.dumps(content), status, mimetype="application/json")


@pytest.fixture
def sops(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> FakeSops:
    connection = {
        "conn_type": "sops",
        "host": httpserver.url_for(""),
        "login": "airflow",
        "password": "s3cret-of-the-app",
        "extra": {"bk_username": "admin", "bk_biz_id": "2"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", json.dumps(connection))
    return FakeSops(httpserver)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests without an answer fail at once, and not after some pauses."""
    from airflow_provider_sops.bundles import reading

    monkeypatch.setattr(reading, "_READ_SECONDS", 0.4)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes bundles as a machine does; each name of a machine is one."""
    from airflow.dag_processing.bundles import base

    from airflow_provider_sops.bundles.sops import SopsFlowBundle

    def make(machine: str = "one", **arguments: Any) -> Any:
        monkeypatch.setattr(base, "get_bundle_storage_root_path", lambda: tmp_path / machine)
        given = {"name": "night", "category": "night", "storage_path": str(tmp_path / "shared"), **arguments}
        return SopsFlowBundle(**given)

    return make

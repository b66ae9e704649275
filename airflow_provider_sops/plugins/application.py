"""The tab's routes. Airflow's API server mounts them without any authentication: each checks who asks.

Who may look and who may act is Airflow's decision about the DAG. Which SOPS task is meant follows from the task
instance (module ``run_tasks``), never from a request.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable  # noqa: TC003 - read at run time by FastAPI, as all annotations here
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep  # noqa: TC002
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.models.dagrun import DagRun
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from sqlalchemy import select

from airflow_provider_sops.plugins.acting import Order, actions_allowed, check_same_site, do
from airflow_provider_sops.plugins.generated_flows import native_view, own_node
from airflow_provider_sops.plugins.live_lists import LiveLists
from airflow_provider_sops.plugins.live_tasks import Answer, LiveTasks
from airflow_provider_sops.plugins.run_tasks import NATIVE_START, Instance, Run, RunTask, read_run, read_states
from airflow_provider_sops.service.reading import read_text
from airflow_provider_sops.service.text import visible

log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
#: What a browser may ask for, by name: nothing of a request becomes a path.
_FILES = {path.name: path for path in _STATIC.iterdir() if path.suffix in _MEDIA_TYPES}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

MayLook = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.TASK_INSTANCE))
MayAct = Depends(requires_access_dag(method="PUT", access_entity=DagAccessEntity.TASK_INSTANCE))
MayAnswer = Depends(requires_access_dag(method="PUT", access_entity=DagAccessEntity.HITL_DETAIL))

RunId = Annotated[str, Query(max_length=250)]
TaskId = Annotated[str, Query(max_length=250)]
MapIndex = Annotated[str, Query(max_length=20)]

router = APIRouter()


def build_application() -> FastAPI:
    """Return the application that Airflow's API server mounts."""
    # Its own description of itself would be open to anybody.
    application = FastAPI(title="SOPS tab", docs_url=None, redoc_url=None, openapi_url=None)
    application.state.live = LiveTasks()
    application.state.lists = LiveLists()
    application.middleware("http")(_add_headers)
    application.include_router(router)
    return application


async def _add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    return response


@router.get("/dags/{dag_id}/page", dependencies=[MayLook])
def page(dag_id: str) -> FileResponse:
    """Return the page, the same for all runs; its script reads from its address what to show."""
    return FileResponse(_STATIC / "page.html", media_type="text/html")


@router.get("/static/{name}", dependencies=[Depends(get_user)])
def static_file(name: str) -> FileResponse:
    """Return a script, the style sheet, or the texts of a language, to anybody who is logged in."""
    path = _FILES.get(name)
    if path is None:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(path, media_type=_MEDIA_TYPES[path.suffix])


@router.get("/dags/{dag_id}/tasks", dependencies=[MayLook])
def tasks(
    dag_id: str, run_id: RunId, session: SessionDep, task_id: TaskId = "", map_index: MapIndex = ""
) -> JSONResponse:
    """Return the SOPS tasks of a run, or of one task of it, as Airflow knows them. SOPS is not asked."""
    run = _run(session, dag_id, run_id)
    natives = [each for each in run.instances if each.operator == NATIVE_START]
    found = run.tasks()
    if task_id:
        indexes = [index] if (index := _index(map_index)) is not None else run.indexes_of(task_id)
        found = [each for each in (run.task_of(task_id, index) for index in indexes) if each]
        natives = [each for each in natives if each.task_id == task_id and each.map_index in indexes]
    answer = {
        "tasks": [_listed(run, each) for each in found],
        "native": [_identity(each) for each in natives],
        "expected": bool(run.instances if not task_id else run.indexes_of(task_id)),
        "run_state": _run_state(session, dag_id, run_id),
    }
    return JSONResponse(answer)


@router.get("/dags/{dag_id}/states", dependencies=[MayLook])
def states(request: Request, dag_id: str, run_id: RunId, session: SessionDep) -> JSONResponse:
    """Return how the SOPS tasks of a run stand in SOPS, for the list of them."""
    listed = _run(session, dag_id, run_id).tasks()
    session.close()
    lists: LiveLists = request.app.state.lists
    answer = lists.states((dag_id, run_id), listed)
    shown = {each.key: state for each in listed if (state := answer.of(each))}
    return JSONResponse({"states": shown, "goes_on": answer.goes_on, "problem": visible(answer.problem)})


@router.get("/dags/{dag_id}/task", dependencies=[MayLook])
def task(
    request: Request,
    dag_id: str,
    run_id: RunId,
    task_id: TaskId,
    session: SessionDep,
    user: GetUserDep,
    map_index: MapIndex = "-1",
    drawing: str = "",
) -> JSONResponse:
    """Return the SOPS task of a task instance with its state.

    :param drawing: the id of the drawing that the browser has; it is not sent again.
    """
    found = _task(_run(session, dag_id, run_id), task_id, map_index)
    session.close()
    answer = _answer(request, found)
    known = answer.known
    body: dict[str, Any] = {
        **answer.view,
        "problem": visible(answer.problem),
        "sops_task_id": found.sops_task_id,
        "url": found.url,
        "may_act": _may(MayAct, request, user),
    }
    if known is not None:
        body["node_id"] = own_node(found, known)
        body["name"], body["full_name"] = known.name, known.full_name
        if known.drawing["id"] != drawing:
            body["drawing"] = known.drawing
    return JSONResponse(body)


@router.get("/dags/{dag_id}/node", dependencies=[MayLook])
def node(
    request: Request,
    dag_id: str,
    run_id: RunId,
    task_id: TaskId,
    node_id: Annotated[str, Query(max_length=100)],
    session: SessionDep,
    map_index: MapIndex = "-1",
) -> JSONResponse:
    """Return inputs, outputs, error, log and earlier tries of a node."""
    found = _task(_run(session, dag_id, run_id), task_id, map_index)
    session.close()
    answer = _answer(request, found)
    if answer.known is None or answer.status is None:
        return JSONResponse({"problem": visible(answer.problem)})
    wanted = answer.known.find(node_id)
    if wanted is None:
        raise HTTPException(404, "The SOPS task has no such node.")
    told = _live(request).node(found, answer.known, answer.status, wanted)
    return JSONResponse({**told.view, "problem": visible(told.problem)})


@router.get("/dags/{dag_id}/native", dependencies=[MayLook])
def native(
    request: Request,
    dag_id: str,
    run_id: RunId,
    task_id: TaskId,
    session: SessionDep,
    map_index: MapIndex = "-1",
    drawing: str = "",
) -> JSONResponse:
    """Return the whole flow of a native run with the states of Airflow's tasks; parameters as of ``task``."""
    run = _run(session, dag_id, run_id)
    index = _index(map_index)
    start = run.instance(task_id, -1 if index is None else index)
    template_id = start.fields.get("template_id") if start and start.operator == NATIVE_START else None
    if start is None or start.site is None or not isinstance(template_id, int | str):
        raise HTTPException(404, "This task begins no native flow, or has not begun yet.")
    states = read_states(session, dag_id, run_id, start.map_index)
    session.close()
    answer = _live(request).template(
        start.site, template_id, read_text(start.fields.get("template_source")) or "business"
    )
    known = answer.known
    if known is None:
        return JSONResponse({"problem": visible(answer.problem), "goes_on": True})
    body = {**native_view(known, run, start, states), "problem": visible(answer.problem)}
    if known.drawing["id"] != drawing:
        body["drawing"] = known.drawing
    return JSONResponse(body)


@router.post("/dags/{dag_id}/act", dependencies=[MayAct, Depends(check_same_site)])
def act(request: Request, dag_id: str, order: Order, session: SessionDep, user: GetUserDep) -> JSONResponse:
    """Act on a SOPS task or on one of its nodes, as the page offers it."""
    if order.action in ("answer", "continue"):
        raise HTTPException(400, "An answer has an address of its own.")
    return _do(request, dag_id, order, session, user)


@router.post("/dags/{dag_id}/answer", dependencies=[MayAnswer, Depends(check_same_site)])
def answer(request: Request, dag_id: str, order: Order, session: SessionDep, user: GetUserDep) -> JSONResponse:
    """Answer a node that waits for a person."""
    if order.action not in ("answer", "continue"):
        raise HTTPException(400, "This is no answer.")
    return _do(request, dag_id, order, session, user)


def _do(request: Request, dag_id: str, order: Order, session: Any, user: Any) -> JSONResponse:
    if not actions_allowed():
        raise HTTPException(403, "Acting in SOPS is switched off: [sops] ui_actions.")
    found = _task(_run(session, dag_id, order.run_id), order.task_id, str(order.map_index))
    known = _answer(request, found)
    refusal = do(_live(request), found, known, order, dag_id=dag_id, session=session, user=user)
    return JSONResponse({"refusal": refusal and visible(refusal)})


def _live(request: Request) -> LiveTasks:
    live: LiveTasks = request.app.state.live
    return live


def _may(permission: Any, request: Request, user: Any) -> bool:
    """Whether the user has another permission than the one that brought them here."""
    if not actions_allowed():
        return False
    try:
        permission.dependency(request, user)
    except HTTPException:
        return False
    return True


def _run(session: Any, dag_id: str, run_id: str) -> Run:
    if _run_state(session, dag_id, run_id) is None:
        raise HTTPException(404, "There is no such DAG run.")
    return read_run(session, dag_id, run_id)


def _run_state(session: Any, dag_id: str, run_id: str) -> str | None:
    state = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return None if state is None else str(getattr(state, "value", state))


def _task(run: Run, task_id: str, map_index: str) -> RunTask:
    index = _index(map_index)
    found = run.task_of(task_id, -1 if index is None else index)
    if found is None:
        raise HTTPException(404, "This task has no SOPS task yet.")
    return found


def _answer(request: Request, found: RunTask) -> Answer:
    answer = _live(request).task(found)
    if answer.known is not None and not found.is_ours(answer.known.detail.name):
        raise HTTPException(403, f"SOPS task {found.sops_task_id} was not made by this DAG run.")
    return answer


def _index(text: str) -> int | None:
    """Return a map index; ``None`` for the placeholder that Airflow's UI leaves where it knows none."""
    try:
        return int(text)
    except ValueError:
        return None


def _listed(run: Run, task: RunTask) -> dict[str, Any]:
    head = task.asked or task.head
    return {
        **_identity(head),
        "sops_task_id": task.sops_task_id,
        "state": head.state,
        "key": task.key,
        "in_native": run.start_group(head.task_id, head.map_index, NATIVE_START) is not None,
    }


def _identity(instance: Instance) -> dict[str, Any]:
    return {"task_id": instance.task_id, "map_index": instance.map_index}

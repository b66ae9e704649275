"""The running server: one process, one port, both gateways."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import waitress
from django.db import connections
from werkzeug.wrappers import Request

from local_sops.api.answer_cache import AnswerCaches
from local_sops.api.routes import routes_for
from local_sops.big_flows import big_templates
from local_sops.gateways import apigw, esb
from local_sops.gateways.outages import Outages
from local_sops.gateways.rate_limiter import RateLimiter
from local_sops.page import application as page
from local_sops.plans.starting import Plans
from local_sops.plugin_folder import read_plugins
from local_sops.plugins import register_plugins
from local_sops.plugins.script import SCRIPT_PLUGINS
from local_sops.plugins.subprocess import subprocess_plugin
from local_sops.runtime.callbacks import TaskCallbacks
from local_sops.runtime.child_tasks import ChildTasks
from local_sops.runtime.dispatcher import Dispatcher
from local_sops.runtime.engine import LocalRuntime
from local_sops.runtime.expiry import Expiry
from local_sops.runtime.node_log import keep_node_logs
from local_sops.runtime.recovery import resume_processes
from local_sops.runtime.task_life import TaskLife
from local_sops.server_state import ServerState
from local_sops.template_folder import SHIPPED_TEMPLATES, TemplateFolder
from local_sops.variables import register_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local_sops.config import Config

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 128 * 1024 * 1024
"""The largest body that is read; the API gateway rejects smaller ones with its own error."""
CREATED_TEMPLATES = "templates"
"""Sub-folder of the data folder for created templates."""
STOP_SECONDS = 3.0
HTTP_THREADS = 8
CONNECTIONS = 2000
"""The most open connections; one more waits until another is closed. Clients keep theirs open between calls."""
CALLBACK_THREADS = 4


class Server:
    """A local SOPS: it listens once it is created, and answers once it runs.

    The database must be set up (:func:`local_sops.bootstrap.set_up_database`).

    :param config: what to serve.
    :raises OSError: the port is taken or not permitted.
    :raises TemplateFileError: a template file is invalid.
    :raises PluginFileError: a plugin file is invalid.
    """

    def __init__(self, config: Config) -> None:
        created = config.data_folder / CREATED_TEMPLATES
        own = [config.templates_folder] if config.templates_folder else []
        templates = TemplateFolder(
            [SHIPPED_TEMPLATES, created, *own], made=big_templates(), created=created, age=config.age
        )
        own_plugins = read_plugins(config.plugins_folder) if config.plugins_folder else ()
        self._socket = _listening_socket(config.host, config.port)
        self.port: int = self._socket.getsockname()[1]
        self.base_url = f"http://{_in_url(config.host)}:{self.port}"
        self._dispatcher = Dispatcher(config.worker_threads)
        self._callback_dispatcher = Dispatcher(CALLBACK_THREADS)
        runtime = LocalRuntime(self._dispatcher)
        task_life = TaskLife(self._dispatcher, runtime, self.base_url, config.project_constants, config.age)
        self._callbacks = TaskCallbacks(self._callback_dispatcher, runtime)
        child_tasks = ChildTasks(self._dispatcher, runtime, task_life, templates, config.timezone)
        plans = Plans(self._dispatcher, task_life, templates, config.timezone)
        task_life.report_to(self._callbacks.report, child_tasks.report)
        keep_node_logs()
        register_variables()
        scripts = SCRIPT_PLUGINS if config.allow_scripts else ()
        register_plugins(subprocess_plugin(child_tasks, task_life), *scripts, *own_plugins)
        self._state = ServerState(
            config,
            self.base_url,
            templates,
            runtime,
            task_life,
            child_tasks,
            plans,
            routes=routes_for(config.age),
            caches=AnswerCaches(config.web_processes if config.age.caches else 0),
            rate_limiter=RateLimiter(config.rate_limit),
            outages=Outages(config.gateway_faults),
        )
        self._http = waitress.create_server(
            self._application,
            sockets=[self._socket],
            threads=HTTP_THREADS,
            connection_limit=CONNECTIONS,
            asyncore_use_poll=True,
            max_request_body_size=MAX_BODY_BYTES,
            ident="local-sops",
            clear_untrusted_proxy_headers=True,
        )

    def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until :meth:`stop`, which a signal handler may call by raising SystemExit or KeyboardInterrupt.

        :param on_ready: called once, when the server answers requests.
        """
        self._state.task_life.connect()
        if self._state.config.expire_after is not None:
            Expiry(self._dispatcher, self._state.config.expire_after).sweep()
        self._dispatcher.start()
        self._callback_dispatcher.start()
        self._callbacks.resume_after_restart()
        resume_processes(self._state.runtime)
        self._state.task_life.resume_after_restart()
        self._state.child_tasks.resume_after_restart()
        self._state.plans.resume_after_restart()
        on_ready()
        try:
            self._http.run()
        finally:
            self.stop()

    def stop(self) -> None:
        """Accept no more requests, give running steps a moment to end, leave the rest to the next start."""
        self._http.close()
        self._callback_dispatcher.stop(0)
        if not self._dispatcher.stop(STOP_SECONDS):
            logger.warning("some nodes did not end in %s s; the next start treats them as interrupted", STOP_SECONDS)
        connections.close_all()

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        # Platforms with several tenants have no ESB.
        if request.path.startswith(esb.PREFIX) and not self._state.config.multi_tenant:
            response = esb.handle(self._state, request)
        else:
            response = page.handle(self._state, request) or apigw.handle(self._state, request)
        return response(environ, start_response)


def _listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def _in_url(host: str) -> str:
    """Format an address for a URL; the wildcard address becomes loopback."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{shown}]" if ":" in shown else shown

"""``bk_http_request``: an HTTP request, sent through an Airflow connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, BaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode
    from airflow_provider_sops.dag_generator.converters.registry import Outputs

HttpConnId = str | Callable[["ConvertibleNode"], "str | None"]
"""An Airflow connection, or a function that returns one for a node; ``None`` leaves the node to SOPS."""

#: The plugin's outputs.
HTTP_OUTPUTS: Outputs = {"data": itemgetter("data"), "status_code": itemgetter("status_code")}

_DEFAULT_TIMEOUT_SECONDS = 60
_MAX_TIMEOUT_SECONDS = 600
_SHOWN_CHARACTERS = 1000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_WITHOUT_BODY = ("GET", "HEAD")


class HttpRequestOperator(BaseOperator):
    """Send a request; succeed on a JSON answer with a status of 200 to 299, as the plugin does.

    The connection, of type ``http``, provides what the node lacks: credentials, proxies, certificates, further headers.
    The request is sent once; use the task's ``retries`` to repeat it.

    :param http_conn_id: the connection. Its host must be the URL's. (templated)
    :param method: ``GET``, ``POST``, ... (templated)
    :param url: the whole URL. (templated)
    :param body: a string or JSON; not sent with GET and HEAD. (templated)
    :param headers: ``[{"name": ..., "value": ...}]``. (templated)
    :param timeout_seconds: how long to wait for the connection and for each part of the answer; SOPS allows at most
        600. Default 60. (templated)
    """

    template_fields: Sequence[str] = ("http_conn_id", "method", "url", "body", "headers", "timeout_seconds")
    ui_color = "#e1ecff"

    def __init__(
        self,
        *,
        http_conn_id: str,
        method: Any,
        url: Any,
        body: Any = None,
        headers: Any = None,
        timeout_seconds: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.http_conn_id = http_conn_id
        self.method = method
        self.url = url
        self.body = body
        self.headers = headers
        self.timeout_seconds = timeout_seconds

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the request and return the plugin's outputs, ``data`` and ``status_code``."""
        from airflow.providers.http.hooks.http import HttpHook

        method = str(self.method).upper()
        hook = HttpHook(method=method, http_conn_id=self.http_conn_id)
        hook.get_conn()
        endpoint = endpoint_at(str(self.url), hook.base_url)
        if endpoint is None:
            raise AirflowFailException(
                f"{self.url!r} does not belong to the host of the connection {self.http_conn_id!r}, which is"
                f" {urlsplit(hook.base_url).hostname!r}; nothing was sent. Set the connection for that host as"
                " http_conn_id of shipped_converters(), or fix the URL."
            )
        self.log.info("Sending a %s request to %s", method, self.url)
        body = self._body()
        response = hook.run(
            endpoint,
            data=None if method in _WITHOUT_BODY or not body else body.encode(),  # type: ignore[arg-type,unused-ignore]
            headers=self._headers(has_body=bool(body)),
            extra_options={"check_response": False, "timeout": self._timeout_seconds()},
        )
        shown = response.text[:_SHOWN_CHARACTERS]
        if not 200 <= response.status_code < 300:
            raise AirflowException(f"{method} {self.url} returned HTTP {response.status_code}: {shown}")
        try:
            data = response.json()
        except ValueError as error:
            raise AirflowException(f"The answer to {method} {self.url} is not JSON: {shown}") from error
        return {"data": data, "status_code": response.status_code}

    def _body(self) -> str:
        body = self.body or ""
        return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)

    def _headers(self, *, has_body: bool) -> dict[str, str]:
        headers = {str(each["name"]): str(each["value"]) for each in self.headers or ()}
        if has_body and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        return headers

    def _timeout_seconds(self) -> float:
        return min(abs(float(self.timeout_seconds or _DEFAULT_TIMEOUT_SECONDS)), _MAX_TIMEOUT_SECONDS)


def endpoint_at(url: str, base_url: str) -> str | None:
    """Return the part of a URL after the connection's; ``None`` if it does not start with that.

    A URL that contains a user never does: credentials belong in the connection.
    """
    try:
        wanted, base = urlsplit(url), urlsplit(base_url)
        if _origin(wanted) != _origin(base) or "@" in wanted.netloc:
            return None
    except ValueError:
        return None
    folder = base.path.rstrip("/")
    path = wanted.path or "/"
    if path != folder and not path.startswith(f"{folder}/"):
        return None
    path = path.removeprefix(folder)
    # Only one of the two may contribute the slash between them.
    path = path.removeprefix("/") if base_url.endswith("/") else path
    return f"{path}?{wanted.query}" if wanted.query else path


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme)


@dataclass(frozen=True)
class HttpRequestConverter:
    """The converter for ``bk_http_request`` nodes; can be pickled, as tasks hold it.

    A node with a condition on the answer stays in SOPS, since only SOPS can evaluate it.

    :param http_conn_id: the connection, or a function that returns one for a node.
    """

    http_conn_id: HttpConnId

    def __call__(self, node: ConvertibleNode) -> BaseOperator | None:
        """Create the operator for a node; ``None`` leaves the node to SOPS."""
        inputs = node.inputs
        condition = inputs.get("bk_http_success_exp")
        if condition is not None and (not condition.is_literal or str(condition.literal or "").strip()):
            return None
        conn_id = self.http_conn_id if isinstance(self.http_conn_id, str) else self.http_conn_id(node)
        if conn_id is None:
            return None
        return HttpRequestOperator(
            **node.task_args,
            http_conn_id=conn_id,
            method=inputs["bk_http_request_method"],
            url=inputs["bk_http_request_url"],
            body=inputs.get("bk_http_request_body"),
            headers=inputs.get("bk_http_request_header"),
            timeout_seconds=inputs.get("bk_http_timeout"),
        )

"""``bk_http_request``: an HTTP request, sent from this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests
from bamboo_engine.utils.boolrule import BoolRule
from pipeline.core.flow.activity import Service
from pipeline.core.flow.io import (
    ArrayItemSchema,
    InputItem,
    IntItemSchema,
    ObjectItemSchema,
    OutputItem,
    StringItemSchema,
)

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.data.base import DataObject

LEGACY_TIMEOUT_SECONDS = 60
MAX_TIMEOUT_SECONDS = 600


class LegacyHttpRequestService(Service):
    """Method, address and body; succeeds on a JSON answer with a status of 200 to 299."""

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        return [
            self._text("HTTP 请求方法", "bk_http_request_method"),
            self._text("HTTP 请求目标地址", "bk_http_request_url"),
            self._text("HTTP 请求 body", "bk_http_request_body"),
        ]

    def outputs_format(self) -> list[OutputItem]:
        """List the outputs with SOPS's texts."""
        content = ObjectItemSchema(description="HTTP 请求响应内容，内部结构不固定", property_schemas={})
        status = IntItemSchema(description="HTTP 请求响应状态码")
        return [
            self.OutputItem(name="响应内容", key="data", type="object", schema=content),
            self.OutputItem(name="状态码", key="status_code", type="int", schema=status),
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Send the request and check the answer; the outputs are set in any case."""
        try:
            response = self._send(data)
        except (requests.RequestException, ValueError) as error:
            data.set_outputs("ex_data", f"请求异常，详细信息: {error}")
            return False
        try:
            content = response.json()
        except ValueError:
            content = response.text
            data.set_outputs("status_code", response.status_code)
            data.set_outputs("data", content)
            data.set_outputs("ex_data", f"请求响应数据格式非 JSON，响应: {content[:1000]}")
            return False
        data.set_outputs("status_code", response.status_code)
        data.set_outputs("data", content)
        if not 200 <= response.status_code < 300:
            data.set_outputs("ex_data", f"请求失败，状态码: {response.status_code}，响应: {content}")
            return False
        return self._meets_condition(data, content)

    def _send(self, data: DataObject) -> requests.Response:
        return self._request(data, headers={}, timeout_seconds=LEGACY_TIMEOUT_SECONDS)

    def _request(self, data: DataObject, headers: Mapping[str, str], timeout_seconds: float) -> requests.Response:
        method = str(data.get_one_of_inputs("bk_http_request_method")).upper()
        body = data.get_one_of_inputs("bk_http_request_body") or ""
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        sent_headers = dict(headers)
        if text and not any(name.lower() == "content-type" for name in sent_headers):
            sent_headers["Content-Type"] = "application/json"
        url = str(data.get_one_of_inputs("bk_http_request_url"))
        self.logger.info("send %s request to %s", method, url)
        return requests.request(
            method,
            url,
            data=text.encode() if text and method not in ("GET", "HEAD") else None,
            headers=sent_headers,
            timeout=timeout_seconds,
        )

    def _meets_condition(self, data: DataObject, content: Any) -> bool:
        return True

    def _text(self, description: str, key: str) -> InputItem:
        schema = StringItemSchema(description=description)
        return self.InputItem(name=description, key=key, type="string", schema=schema)


class HttpRequestService(LegacyHttpRequestService):
    """With headers, a timeout and a condition on the answer."""

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        header = ObjectItemSchema(
            description="单个头部信息",
            property_schemas={
                "name": StringItemSchema(description="请求头名称"),
                "value": StringItemSchema(description="请求头值"),
            },
        )
        method, url, body = super().inputs_format()
        return [
            method,
            url,
            self.InputItem(
                name="HTTP 请求 header",
                key="bk_http_request_header",
                type="array",
                schema=ArrayItemSchema(description="HTTP 请求头部列表", item_schema=header),
            ),
            body,
            self.InputItem(
                name="HTTP 请求超时时间",
                key="bk_http_timeout",
                type="int",
                schema=IntItemSchema(description="HTTP 请求超时时间"),
            ),
            self.InputItem(
                name="HTTP 请求成功条件",
                key="bk_http_success_exp",
                type="string",
                schema=StringItemSchema(
                    description="根据返回的 JSON 的数据来控制节点的成功或失败, "
                    "使用 resp 引用返回的 JSON 对象，例 resp.result==True"
                ),
            ),
        ]

    def _send(self, data: DataObject) -> requests.Response:
        listed = data.get_one_of_inputs("bk_http_request_header") or []
        headers = {str(item["name"]): str(item["value"]) for item in listed}
        timeout = float(data.get_one_of_inputs("bk_http_timeout") or LEGACY_TIMEOUT_SECONDS)
        return self._request(data, headers, min(abs(timeout), MAX_TIMEOUT_SECONDS))

    def _meets_condition(self, data: DataObject, content: Any) -> bool:
        condition = str(data.get_one_of_inputs("bk_http_success_exp") or "").strip()
        if not condition:
            return True
        try:
            met = bool(BoolRule(condition).test(context={"resp": content}))
        except Exception as error:  # noqa: BLE001 - any parser error means a wrong condition
            data.set_outputs("ex_data", f"请求成功条件判定出错: {error}")
            return False
        if not met:
            data.set_outputs("ex_data", f"请求成功条件判定失败: {condition}")
        return met


_DESCRIPTION = (
    "提示: 1.请求URL需要在当前网络下可以访问，否则会超时失败 2.响应状态码在200-300(不包括300)之间，"
    "并且响应内容是 JSON 格式才会执行成功"
)
_FORMS = "/static/components/atoms/bk/http"
PLUGINS = (
    Plugin(
        "bk_http_request",
        "legacy",
        "HTTP 请求",
        LegacyHttpRequestService,
        description=_DESCRIPTION,
        form=f"{_FORMS}/legacy.js",
    ),
    Plugin(
        "bk_http_request", "v1.0", "HTTP 请求", HttpRequestService, description=_DESCRIPTION, form=f"{_FORMS}/v1_0.js"
    ),
)

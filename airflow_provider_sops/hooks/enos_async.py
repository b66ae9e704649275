"""EnOS without blocking, for triggers. Never imported by a DAG file: importing aiohttp is slow."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import tenacity
from asgiref.sync import sync_to_async

from airflow_provider_sops import metrics
from airflow_provider_sops.enos import calls
from airflow_provider_sops.enos.connection import EnosConnection, read_enos_connection
from airflow_provider_sops.enos.endpoints import endpoint
from airflow_provider_sops.enos.errors import EnosError, EnosTokenRefusedError
from airflow_provider_sops.enos.tokens import token_endpoint
from airflow_provider_sops.hooks import enos_tokens
from airflow_provider_sops.hooks.enos_tokens import TokenKey
from airflow_provider_sops.hooks.session_hook import warn_about
from airflow_provider_sops.service.calls import asynchronous
from airflow_provider_sops.service.retrying import retry_rules
from airflow_provider_sops.service.transport_async import AsyncTransport
from airflow_provider_sops.version_compat import get_async_connection, mask_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.enos.gateway import ApiVersion
    from airflow_provider_sops.enos.tokens import AccessToken
    from airflow_provider_sops.service.answer import Answer
    from airflow_provider_sops.service.calls import Call, T
    from airflow_provider_sops.service.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)

#: Only one trigger per event loop requests a token.
_obtaining: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[TokenKey, asyncio.Lock]] = WeakKeyDictionary()


async def aget_enos_connection(
    conn_id: str, *, user_id: str | None = None, org_id: str | None = None
) -> EnosConnection:
    """Read an Airflow connection of type ``enos`` inside the triggerer; its secrets are masked in logs.

    :param conn_id: the connection.
    :param user_id: the user to act for; default: the connection's.
    :param org_id: the user's organisation; default: the connection's.
    :raises EnosInvalidParameterError: the connection is malformed.
    """
    connection = read_enos_connection(await get_async_connection(conn_id), user_id=user_id, org_id=org_id)
    for secret in connection.secrets:
        await _mask(secret)
    warn_about("EnOS", "access token", connection.transport, connection.unused_extra)
    return connection


async def _mask(secret: str) -> None:
    """Mask a secret in logs; Airflow sends it to the supervisor, which must not block the event loop."""
    await sync_to_async(mask_secret)(secret)


class AsyncEnosClient:
    """The asynchronous part of ``EnosHook`` for triggers: same calls, same answers, same retries.

    An asynchronous context manager, which opens and closes one HTTP session::

        async with AsyncEnosClient(await aget_enos_connection("enos_default")) as client:
            instance = await client.get_flow_instance("8435-2021020211")

    :param connection: from ``aget_enos_connection``.
    """

    def __init__(self, connection: EnosConnection) -> None:
        self.connection = connection
        self._transport = AsyncTransport(connection.transport)

    async def __aenter__(self) -> AsyncEnosClient:
        await asyncio.to_thread(metrics.prepare)
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._transport.__aexit__(*exc_info)

    @property
    def api_version(self) -> ApiVersion:
        """The API's version."""
        return self.connection.address.version

    async def call(self, api: str, **parameters: Any) -> Answer:
        """Call EnOS; same parameters, answer and errors as ``EnosHook.call``."""
        return await self._call(api, parameters, lambda answer: answer)

    async def do(self, call: Call[T]) -> T:
        """Make a call of ``enos.calls`` as ``call`` does, and return its result."""
        return await self._call(call.api, call.parameters, call.result)

    get_task_instance = asynchronous(calls.get_task_instance)
    get_flow_instance = asynchronous(calls.get_flow_instance)
    cancel_flow_instance = asynchronous(calls.cancel_flow_instance)

    async def _call(self, api: str, parameters: Mapping[str, Any], read: Callable[[Answer], T]) -> T:
        rules = retry_rules(api, repeatable=endpoint(api).repeatable, log=log)
        return await tenacity.AsyncRetrying(**rules)(self._call_once, api, parameters, read)

    async def _call_once(self, api: str, parameters: Mapping[str, Any], read: Callable[[Answer], T]) -> T:
        token = await self._token()
        try:
            return await self._call_with(token, api, parameters, read)
        except EnosTokenRefusedError as error:
            log.info("Requesting a new access token: %s", error)
            return await self._call_with(await self._token(refused=token), api, parameters, read)

    async def _token(self, refused: AccessToken | None = None) -> AccessToken:
        """Return a usable token like ``enos_tokens.obtain``, whose lock would block the event loop."""
        key = TokenKey.of(self.connection)
        locks = _obtaining.setdefault(asyncio.get_running_loop(), defaultdict(asyncio.Lock))
        async with locks[key]:
            token = enos_tokens.kept_token(key, refused)
            if token is None:
                token = await self._new_token(enos_tokens.token_to_refresh(key, refused), refused)
                enos_tokens.keep_token(key, token)
            return token

    async def _new_token(self, to_refresh: AccessToken | None, refused: AccessToken | None) -> AccessToken:
        if to_refresh is not None:
            try:
                return await self._ask(to_refresh)
            except EnosError:
                return await self._ask(None)
        token = await self._ask(None)
        return await self._ask(token) if refused is not None and token.value == refused.value else token

    async def _ask(self, to_replace: AccessToken | None) -> AccessToken:
        call = token_endpoint(to_replace)
        rules = retry_rules(call.name, repeatable=call.repeatable, log=log)
        return await tenacity.AsyncRetrying(**rules)(self._ask_once, to_replace)

    async def _ask_once(self, to_replace: AccessToken | None) -> AccessToken:
        asked_at = enos_tokens.now()
        request = self.connection.token_request(timestamp=enos_tokens.fresh_timestamp(), to_replace=to_replace)
        token = await self._send(
            request, lambda response: self.connection.read_token(request, response, asked_at=asked_at)
        )
        await _mask(token.value)
        return token

    async def _call_with(
        self, token: AccessToken, api: str, parameters: Mapping[str, Any], read: Callable[[Answer], T]
    ) -> T:
        timestamp = enos_tokens.fresh_timestamp()
        request = self.connection.request(api, parameters, token=token, timestamp=timestamp)
        return await self._send(request, lambda response: read(self.connection.read(request, response, token=token)))

    async def _send(self, request: HttpRequest, read: Callable[[HttpResponse], T]) -> T:
        def read_response(response: HttpResponse) -> T:
            log.debug("%s %s %s: HTTP %s", request.api, request.method, request.shown_url, response.status)
            return read(response)

        with metrics.TimedRequest(metrics.ENOS, request.api, self.connection.transport.root):
            return await self._transport.send(request, self.connection.limits, read_response)

"""The API gateway's checks, by the letter of the API management's documents, and its token service."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN_SECONDS = 7200
_CLOCK_TOLERANCE_MS = 5 * 60 * 1000


@dataclass
class Gatekeeper:
    """Knows the registered apps and their tokens, and whether a request is signed as it must be.

    :param apps: SecretKey by AccessKey.
    :param refuses_by_code: whether a bad token is answered with HTTP 200 and the code 1203 instead of HTTP 401.
    :param violations: what was wrong with requests that were refused, in words.
    :param token_requests: ``get`` and ``refresh`` in the order in which they came.
    """

    apps: dict[str, str]
    refuses_by_code: bool = False
    token_seconds: float = _TOKEN_SECONDS
    violations: list[str] = field(default_factory=list)
    token_requests: list[str] = field(default_factory=list)
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _secret_of: dict[str, str] = field(default_factory=dict)
    _distrusted: set[str] = field(default_factory=set)
    _seen: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def revoke_tokens(self) -> None:
        """Let every token be expired: the service gives others from now on."""
        self._tokens.clear()
        self._secret_of.clear()

    def distrust_tokens(self) -> None:
        """Let the gateway refuse every token, while the token service goes on giving them out until a refresh."""
        self._distrusted.update(self._secret_of)
        self._secret_of.clear()

    def answer_token_request(self, action: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer of the token service."""
        self.token_requests.append(action)
        status = self._fault_of_token_request(action, content)
        if status:
            self.violations.append(f"token/{action}: {status}")
            return {"status": status, "msg": "FAILED", "business": "apim-token-service", "data": None}
        app = str(content["appKey"])
        if action == "refresh" or app not in self._tokens or self._tokens[app][1] <= time.monotonic():
            self._tokens[app] = (secrets.token_hex(16), time.monotonic() + self.token_seconds)
        token, ends_at = self._tokens[app]
        if token not in self._distrusted:
            self._secret_of[token] = self.apps[app]
        data = {"accessToken": token, "expire": int(ends_at - time.monotonic())}
        return {"status": 0, "msg": "SUCCESS", "business": "apim-token-service", "data": data}

    def refusal(self, query_string: str, body: bytes, headers: Mapping[str, str]) -> str | None:
        """Return what is wrong with a call's token or signature, or ``None``."""
        token, timestamp, signed = (
            headers.get(f"apim-{name}", "") for name in ("accesstoken", "timestamp", "signature")
        )
        secret = self._secret_of.get(token)
        if secret is None:
            return "unknown access token"
        if not timestamp.isdigit() or abs(int(timestamp) - time.time() * 1000) > _CLOCK_TOLERANCE_MS:
            return self._violated("timestamp is not the present in milliseconds")
        digest = hashlib.sha256()
        digest.update(token.encode("utf-8"))
        first_values: dict[str, str] = {}
        for name, value in parse_qsl(query_string, keep_blank_values=True, encoding="utf-8"):
            first_values.setdefault(name, value)
        for name in sorted(first_values):
            digest.update(name.encode("utf-8"))
            digest.update(first_values[name].encode("utf-8"))
        digest.update(body)
        digest.update(timestamp.encode("utf-8"))
        digest.update(secret.encode("utf-8"))
        return None if digest.hexdigest() == signed else self._violated("signature does not fit")

    def _violated(self, what: str) -> str:
        self.violations.append(what)
        return what

    def _fault_of_token_request(self, action: str, content: Mapping[str, Any]) -> int:
        app, encryption, timestamp = (content.get(name) for name in ("appKey", "encryption", "timestamp"))
        if not app or not encryption or not timestamp or (action == "refresh" and not content.get("accessToken")):
            return 1202
        if app not in self.apps:
            return 1002
        expected = hashlib.sha256(f"{app}{timestamp}{self.apps[app]}".encode()).hexdigest()
        if encryption != expected:
            return 1003
        if encryption in self._seen[app]:
            return 1001
        self._seen[app].add(str(encryption))
        if action == "refresh" and self._tokens.get(app, ("", 0.0))[0] != content["accessToken"]:
            return 1204
        return 0

"""The trace of a request: whoever runs the service finds what it was sent for, where both sides trace."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_sops.service.http import HttpRequest


def traced(request: HttpRequest) -> HttpRequest:
    """Return a request with the W3C headers ``traceparent`` and ``tracestate`` of the span that is current.

    Without a span the request is returned as it is. OpenTelemetry is not imported: if nothing else has done so, there
    is no span.
    """
    if "opentelemetry.trace" not in sys.modules:
        return request
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    # Not the propagators of the environment: baggage may hold anything.
    TraceContextTextMapPropagator().inject(headers)
    return replace(request, headers={**request.headers, **headers}) if headers else request

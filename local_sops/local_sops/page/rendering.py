"""Render templates as HTML. Every value is escaped: a flow's texts are data, whatever characters they contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mako.lookup import TemplateLookup
from werkzeug.wrappers import Response

from local_sops.page.protection import SECURITY_HEADERS
from local_sops.page.words import language, t

_FOLDER = Path(__file__).parent
_LOOKUP = TemplateLookup(
    directories=[str(_FOLDER / "html")], default_filters=["h"], strict_undefined=True, input_encoding="utf-8"
)
_STATIC_TYPES = {"style.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


def page(template_name: str, *, status: int = 200, **values: Any) -> Response:
    """Render a template of the folder ``html`` in the language of the answer."""
    text = _LOOKUP.get_template(template_name).render_unicode(t=t, language=language(), **values)
    return Response(text, status=status, headers=SECURITY_HEADERS, content_type="text/html; charset=utf-8")


def static_file(name: str) -> Response | None:
    """Answer with the style sheet or the script; None for any other name."""
    if name not in _STATIC_TYPES:
        return None
    content = (_FOLDER / "static" / name).read_bytes()
    return Response(content, headers=SECURITY_HEADERS, content_type=_STATIC_TYPES[name])

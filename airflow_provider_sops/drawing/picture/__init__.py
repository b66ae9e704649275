"""A flow as a picture: one pure function from figures and lines to the text of an SVG file.

It knows nothing of trees, servers or the rest of this project, so that whoever has a flow can have it drawn: local_sops
links this folder into its own package. Hence the relative imports.
"""

from __future__ import annotations

from .figures import Figure, Line
from .svg import draw

__all__ = ["Figure", "Line", "draw"]

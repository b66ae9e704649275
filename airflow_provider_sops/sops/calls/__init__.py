"""The calls of SOPS's API as data, one function each, grouped by what the calls are about.

``SopsHook`` and ``AsyncSopsClient`` do them: each function is a method there, with the same parameters.
"""

from __future__ import annotations

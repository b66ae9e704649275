"""The calls of SOPS's API as data, one function each, grouped by subject.

``SopsHook`` and ``AsyncSopsClient`` have each function as a method with the same parameters.
"""

from __future__ import annotations

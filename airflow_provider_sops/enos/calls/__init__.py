"""The calls of EnOS's batch processing that this package uses, as data, one function each.

``EnosHook`` and ``AsyncEnosClient`` have each function as a method with the same parameters. Their ``call`` makes any
other call by name.
"""

from __future__ import annotations

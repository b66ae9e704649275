"""The calls of EnOS's batch processing that this package makes, as data, one function each.

``EnosHook`` and ``AsyncEnosClient`` do them: each function is a method there, with the same parameters. What else the
service can do, ``call`` does by name.
"""

from __future__ import annotations

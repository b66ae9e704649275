from __future__ import annotations

from scripts.newest_check import differences, pins

PINNED = """\
aiohttp==3.14.5 \\
    --hash=sha256:00
backports-tarfile==1.2.0 ; python_version < '3.12' \\
    --hash=sha256:01
gone==1.0 \\
    --hash=sha256:02
"""


def test_versions_are_read_by_name() -> None:
    assert pins(PINNED) == {"aiohttp": "3.14.5", "backports-tarfile": "1.2.0", "gone": "1.0"}


def test_only_what_differs_is_shown() -> None:
    newest = {"aiohttp": "3.15.0", "backports-tarfile": "1.2.0", "new": "0.1"}

    assert [line.split() for line in differences(pins(PINNED), newest)] == [
        ["aiohttp", "3.14.5", "->", "3.15.0"],
        ["gone", "1.0", "->", "-"],
        ["new", "-", "->", "0.1"],
    ]

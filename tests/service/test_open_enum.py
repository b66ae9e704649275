from __future__ import annotations

import pickle

from airflow_provider_sops.service.open_enum import OpenEnum


class Light(OpenEnum):
    RED = "RED"
    GREEN = "GREEN"


def test_known_words_are_members_and_others_are_kept() -> None:
    unknown = Light("BLUE")

    assert Light("RED") is Light.RED
    assert (unknown, unknown.name, unknown.value, type(unknown)) == ("BLUE", "BLUE", "BLUE", Light)
    assert unknown == Light("BLUE")
    assert list(Light) == [Light.RED, Light.GREEN]
    assert pickle.loads(pickle.dumps(unknown)) == unknown

"""The two ways in: the API gateway and the older ESB. Both check the app and the user, then hand the call on."""

from __future__ import annotations

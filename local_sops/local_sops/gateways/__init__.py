"""The two gateways: the API gateway and the older ESB. Both check the app and the user, then pass the call on."""

from __future__ import annotations

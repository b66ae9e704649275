"""What any remote HTTP service needs. Imports no Airflow and knows neither SOPS nor EnOS."""

from __future__ import annotations

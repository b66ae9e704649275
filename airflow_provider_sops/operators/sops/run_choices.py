"""What a DAG's author can choose between for a run; light, since every DAG file that imports an operator loads it."""

from __future__ import annotations

from typing import Literal

#: What a clear by a person does with earlier SOPS tasks.
OnClear = Literal["keep_repaired", "new", "resume", "fail"]
#: What an Airflow retry does with the SOPS task of the try before.
RetryMode = Literal["resume", "new"]

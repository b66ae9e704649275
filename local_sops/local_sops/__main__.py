"""``python -m local_sops``: the same as the console command ``local-sops``."""

from __future__ import annotations

from local_sops.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

"""A program that builds the DAGs of trees in files and tells the processor time of each, as JSON in its last line.

Its arguments are the mode and the files.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from airflow_provider_sops.dag_generator import SopsDag


def main() -> None:
    """Build each DAG, without what is left of the one before it."""
    mode, *files = sys.argv[1:]
    seconds = []
    for file in files:
        tree = json.loads(Path(file).read_text())
        gc.collect()
        began = time.process_time()
        dag = SopsDag("flow", pipeline=tree, template_id=1, mode=mode, schedule=None)  # type: ignore[arg-type]
        seconds.append(time.process_time() - began)
        del dag
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()

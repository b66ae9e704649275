"""Every figure in the documentation, measured next to its peers in one run. See ``python -m benchmarks -h``."""

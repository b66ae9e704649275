"""Every figure that the documentation claims, measured beside its peers in one run. See ``python -m benchmarks -h``."""

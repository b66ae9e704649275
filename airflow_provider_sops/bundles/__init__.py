"""DAG bundles: the flows of a SOPS project as DAGs, without a DAG file."""

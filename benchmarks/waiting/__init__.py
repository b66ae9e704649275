"""Many deferred tasks in real triggerers, and a SOPS that counts what it is asked."""

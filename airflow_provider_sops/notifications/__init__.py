"""Notifiers: telling people through SOPS."""

"""Notifiers that send notifications through SOPS flows."""

"""Waiting for something remote to end: what a wait is, what an outage costs it, and the only two loops that wait."""

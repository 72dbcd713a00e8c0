"""Simulated data; no site needs it."""

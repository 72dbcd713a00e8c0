"""Marts, their audit, and the release."""

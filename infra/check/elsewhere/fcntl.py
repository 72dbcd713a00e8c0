"""Stands in where the system has no file locks: a check has no lake, and nobody to wait for."""

LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN = 2, 4, 1, 8


def flock(file: object, operation: int) -> None:
    """Lock nothing."""

"""A small read-only client for the API of edulake."""

from .client import Edulake, EdulakeError

__all__ = ["Edulake", "EdulakeError"]

"""The releases of a site for every audience: one shelf each, opened when somebody first asks for it."""

from __future__ import annotations

import threading

from jobs.access.caller import CITY
from jobs.settings import Settings
from portal.snapshot import QUERY_SECONDS, Replies, Shelf


class Library:
    """The shelves of a site by audience."""

    def __init__(self, settings: Settings, seconds: float = QUERY_SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds
        self._shelves: dict[str, Shelf] = {}
        self._lock = threading.Lock()
        self.replies = Replies()

    def shelf(self, audience: str) -> Shelf:
        """The shelf of an audience. That a release has no file for it shows when it is opened."""
        shelf = self._shelves.get(audience)
        if shelf is None:
            with self._lock:
                made = Shelf(self._settings, audience, self._seconds, self.replies)
                shelf = self._shelves.setdefault(audience, made)
        return shelf

    @property
    def main(self) -> Shelf:
        """The shelf by which the service is judged."""
        return self.shelf(CITY)

    @property
    def is_synthetic(self) -> bool:
        """Whether what is served is of a made-up city."""
        return self._settings.is_synthetic or any(one.is_synthetic for one in [*self._shelves.values()])

    def opened(self) -> list[Shelf]:
        """The shelves that somebody has asked for."""
        return [*self._shelves.values()]

    def damage(self) -> str | None:
        """What is wrong with the files that are open, one after the other; None if all are whole."""
        return "; ".join(fault for one in self.opened() if (fault := one.damage())) or None

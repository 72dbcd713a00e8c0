"""A thread of the server that tells webhooks, twice a minute."""

from __future__ import annotations

import logging
import threading

from jobs.publish import webhooks
from jobs.settings import Settings

_log = logging.getLogger(__name__)
_EVERY_SECONDS = 30.0


class Telling:
    """Looks what happened and sends it, until it is ended."""

    def __init__(self, settings: Settings, every: float = _EVERY_SECONDS) -> None:
        self._settings = settings
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="webhooks", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Send no more; what waits is sent by the next process."""
        self._ended.set()
        self._thread.join(5.0)

    def waiting(self) -> int:
        """How many deliveries wait."""
        return webhooks.waiting(webhooks.opened(self._settings))

    def _go_on(self) -> None:
        while not self._ended.wait(self._every):
            try:
                store = webhooks.opened(self._settings)
                if webhooks.listed(store):
                    webhooks.collect(self._settings, store)
                    webhooks.send(store)
                store.close()
            except Exception:
                # Whatever it was, the portal serves on and the next round tries again.
                _log.exception("webhooks could not be told")

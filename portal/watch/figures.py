"""The figures of the portal for Prometheus, and what others of its parts have to tell."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from portal.library import Library

_log = logging.getLogger(__name__)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Figures:
    """The figures of one application. Any part may add a gauge or a counter of its own."""

    def __init__(self, library: Library) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "edulake_requests", "Requests", ("route", "method", "status", "role"), registry=self.registry
        )
        self._seconds = Histogram(
            "edulake_request_seconds",
            "Seconds until the first byte of an answer",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        # A look-up of labels costs more than what it finds.
        self._counters: dict[tuple[str, str, int, str], Any] = {}
        self._histograms: dict[str, Any] = {}
        self._told: list[tuple[type, str, str, Callable[[], float]]] = []
        self.registry.register(_Told(self._told))
        self.registry.register(_Releases(library))

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A figure that goes up and down, asked for when somebody looks."""
        self._told.append((GaugeMetricFamily, f"edulake_{name}", meaning, value))

    def counter(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A figure that only grows, asked for when somebody looks."""
        self._told.append((CounterMetricFamily, f"edulake_{name}", meaning, value))

    def count(self, route: str, method: str, status: int, role: str, seconds: float) -> None:
        """One request was answered."""
        key = (route, method if method in _METHODS else "other", status, role)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(*key)
            self._histograms[route] = self._seconds.labels(route)
        counter.inc()
        self._histograms[route].observe(seconds)


class _Told:
    """What others of the portal's parts tell when they are asked."""

    def __init__(self, told: list[tuple[type, str, str, Callable[[], float]]]) -> None:
        self._told = told

    def collect(self) -> Iterator[Any]:
        for family, name, meaning, value in self._told:
            try:
                told = value()
            except Exception:
                # One part that cannot tell must not hide the others.
                _log.exception("%s cannot be told", name)
                told = math.nan
            yield family(name, meaning, value=told)


class _Releases:
    """What is open, and how old it is."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def collect(self) -> Iterator[Any]:
        number = GaugeMetricFamily("edulake_release", "Release that is served", labels=["audience"])
        age = GaugeMetricFamily("edulake_release_age_seconds", "Since it was published", labels=["audience"])
        shelves = self._library.opened()
        opened = {shelf: shelf.opened() for shelf in shelves}
        for shelf, snapshots in opened.items():
            if snapshots:
                release = snapshots[0].release
                published = datetime.fromisoformat(release.manifest["published_at"])
                number.add_metric([shelf.audience], release.number)
                age.add_metric([shelf.audience], time.time() - published.timestamp())
        replies = self._library.replies
        yield number
        yield age
        yield GaugeMetricFamily(
            "edulake_open_snapshots", "Release files held open", value=sum(map(len, opened.values()))
        )
        yield GaugeMetricFamily(
            "edulake_kept_reply_bytes", "Bytes of replies that are kept", value=replies.bytes
        )
        yield CounterMetricFamily("edulake_kept_reply_hits", "Replies found kept", value=replies.hits)
        yield CounterMetricFamily(
            "edulake_kept_reply_misses", "Replies made, or compressed, anew", value=replies.misses
        )
        stale = sum(shelf.fault is not None for shelf in shelves)
        yield GaugeMetricFamily("edulake_stale_shelves", "Audiences served an older release", value=stale)

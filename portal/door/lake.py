"""What the lake says about deliveries now: senders and receipts, read again when a run changed them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from jobs import declare
from jobs.ingest import relations
from jobs.lake import receipt_text, senders, tables, withdrawals
from jobs.lake.senders import Senders
from jobs.settings import Settings

# A table's version is looked up no more often.
_SECONDS = 2.0
_RECEIPT = [
    "receipt_id",
    "run_id",
    "feed",
    "dataset",
    "sender_code",
    "delivery_id",
    "received_date",
    "delivery_no",
    "file_sha256",
    "byte_count",
    "line_count",
    "accepted_count",
    "flagged_count",
    "refused_count",
    "outcome",
    "reasons",
    "remarks",
    "recorded_at",
    "file_name",
]


class _Kept:
    """Something read from tables, kept until one of them has another version."""

    def __init__(self, settings: Settings, of: tuple[str, ...], read: Callable[[], Any]) -> None:
        self.settings, self._of, self._read = settings, of, read
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._versions: list[int | None] | None = None
        self._value: Any = None

    def get(self) -> Any:
        with self._lock:
            if time.monotonic() - self._at < _SECONDS:
                return self._value
            versions = [self._version(name) for name in self._of]
            if versions != self._versions:
                self._value, self._versions = self._read(), versions
            self._at = time.monotonic()
            return self._value

    def forget(self) -> None:
        with self._lock:
            self._at = float("-inf")

    def _version(self, name: str) -> int | None:
        found = tables.open_table(self.settings, name)
        return None if found is None else found.version()


class Lake:
    """The lake beside the door."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        gone = withdrawals.TABLE
        self._senders = _Kept(settings, (senders.REGISTER, gone), lambda: senders.load(settings))
        self._names = _Kept(settings, (senders.REGISTER,), self._read_names)
        own = ("ops__receipt", receipt_text.TABLE, gone, relations.FINDINGS, relations.RATES)
        self._receipts = _Kept(settings, own, self._read_receipts)

    def senders(self) -> Senders:
        """Who may send."""
        known: Senders = self._senders.get()
        return known

    def name(self, sender: str) -> str | None:
        """The name of a sender: of a school, the newest register's."""
        return declare.sender_name(sender) or self._names.get().get(sender)

    def _read_names(self) -> dict[str, str]:
        rows = tables.rows(self.settings, senders.REGISTER, ["school_code", "school_name", "recorded_at"])
        return {
            row["school_code"]: row["school_name"] for row in sorted(rows, key=lambda r: r["recorded_at"])
        }

    def receipts(self) -> dict[str, dict[str, Any]]:
        """Receipt id -> its row, with `withdrawal` and `finding_count` beside it."""
        found: dict[str, dict[str, Any]] = self._receipts.get()
        return found

    def forget(self) -> None:
        """Look again at the next question: something was withdrawn just now."""
        self._senders.forget()
        self._receipts.forget()

    def _read_receipts(self) -> dict[str, dict[str, Any]]:
        gone = withdrawals.load(self.settings)
        asked = self._findings()
        return {
            row["receipt_id"]: row
            | {
                "withdrawal": gone.get(row["delivery_id"]),
                "finding_count": asked.get((row["delivery_id"], row["file_sha256"]), 0),
            }
            for row in receipt_text.receipts(self.settings, _RECEIPT)
        }

    def _findings(self) -> dict[tuple[str, str], int]:
        """(delivery, file) -> how many lines other files raise a question about, by the newest check."""
        rates = tables.rows(self.settings, relations.RATES, ["recorded_at", "run_id"])
        if not rates:
            return {}
        newest = max(rates, key=lambda r: (r["recorded_at"], int(r["run_id"].rsplit(".", 1)[-1])))["run_id"]
        found: dict[tuple[str, str], int] = {}
        names = ["run_id", "delivery_id", "file_sha256"]
        for row in tables.rows(self.settings, relations.FINDINGS, names):
            if row["run_id"] == newest:
                key = row["delivery_id"], row["file_sha256"]
                found[key] = found.get(key, 0) + 1
        return found

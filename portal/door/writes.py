"""What a caller writes, as events: who he is, under which id; acknowledged once audited and on the disk."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jobs.access.caller import Caller, Role
from jobs.access.trail import Trail
from jobs.declare import code_list
from jobs.files import fsync
from jobs.ingest.events import Event, Events, Landed, event_id
from jobs.lake import arrival, tables
from jobs.settings import Settings, UserError
from portal.access.limits import Limits
from portal.problems import ProblemError

_log = logging.getLogger(__name__)
# Requests to correct from one address: six at once, then one every half minute.
PUBLIC_PER_SECOND, PUBLIC_BURST = 1 / 30, 6
PENDING, SHOWN = "待下次发布生效", "已在发布版中"
CLOSED = ("handled", "false")
_OFFICE = "portal"
# Of these the writer's own words make the id, not the moment or the release before him.
_NO_CONTENT = ("about_release", "written_date", "written_time")


@dataclass(frozen=True)
class Written:
    """One event that is on the disk. `is_new`: this request put it there."""

    event: Landed
    is_new: bool
    is_pending: bool

    @property
    def told(self) -> dict[str, Any]:
        return {
            "id": self.event.id,
            "dataset": self.event.dataset,
            "is_new": self.is_new,
            "is_pending": self.is_pending,
            "state_zh": PENDING if self.is_pending else SHOWN,
            "delivery_id": self.event.delivery_id,
            "received": self.event.received.isoformat(),
            "written_time": str(self.event.row.get("written_time", "")),
        }


class Writes:
    """The writes of a site. One process may have one; several processes may write at once."""

    def __init__(self, settings: Settings, trail: Trail) -> None:
        self.settings = settings
        self.events = Events(settings)
        self.limits = Limits()
        self._trail = trail
        # States follow each other: who decides on one sees the one before.
        self._lock = threading.RLock()

    def key_of(self, caller: Caller) -> str:
        """A pseudonym of who writes, the same for ever under the portal's key; empty for the public."""
        if not caller.subject:
            return ""
        return hmac.digest(_key(self.settings.secrets), caller.subject.encode(), hashlib.sha256).hex()[:16]

    def told_by(self, caller: Caller) -> dict[str, Any]:
        """Who writes, and when: the columns that every dataset of the feed `portal` has."""
        return {
            "writer_key": self.key_of(caller),
            "writer_role_code": str(caller.role),
            "writer_unit_code": "" if caller.role == Role.FAMILY else caller.unit_code,
            "written_date": self.today().isoformat(),
            "written_time": _now(),
        }

    def signed(self, caller: Caller) -> str:
        """The same as one text, for a dataset that has a name's column."""
        return f"{caller.role} {caller.unit_code or '-'} {self.key_of(caller)}"

    def today(self) -> date:
        return arrival.day_of_receipt(self.settings)

    def office(self) -> str:
        """The office under whose code the portal's own deliveries come in."""
        return min(code_list("sender").codes(), default=_OFFICE)

    def sender(self, caller: Caller) -> str:
        """Whose delivery a text is: the caller's unit's, else the office's."""
        of_unit = caller.role in (Role.SCHOOL, Role.SENDER, Role.DISTRICT) and caller.unit_code
        return caller.unit_code if of_unit else self.office()

    def put(self, caller: Caller, event: Event, versions: Mapping[str, int]) -> Written:
        """Judge, audit and land an event; all of it is on the disk when this returns. Raises ProblemError for
        one that a run would refuse.
        """
        with self._lock:
            if found := self.events.find(event.dataset, event.sender, event.id):
                return self.written(found, versions)
            if faults := self.events.faults(event, self.today()):
                raise ProblemError(
                    422,
                    "not-taken",
                    "内容不符合要求",
                    "; ".join(fault.en for fault in faults),
                    detail_zh="；".join(fault.zh for fault in faults),
                )
            try:
                self._trail.write(caller, f"write-{event.dataset}", event.id)
                handed = self.events.put(event, self.today())
            except UserError as error:
                # The disk, most likely: its words name places of this machine.
                _log.error("%s was not taken: %s", event.dataset, error.message)
                raise ProblemError(
                    503, "not-written", "暂时无法保存，请稍后再试", "nothing was kept: send it again later"
                ) from error
            landed = self.events.find(event.dataset, event.sender, event.id)
            assert landed, handed
            return self.written(landed, versions, is_new=handed.is_new)

    def put_text(
        self, caller: Caller, dataset: str, row: Mapping[str, Any], versions: Mapping[str, int], key: str = ""
    ) -> Written:
        """Put words of the caller: one event a key of his, or a content of his where he names no key."""
        sender = self.sender(caller)
        kept = {name: value for name, value in row.items() if value not in (None, "")}
        content = {name: value for name, value in kept.items() if name not in _NO_CONTENT}
        told = f"key {key}" if key else json.dumps(content, ensure_ascii=False, sort_keys=True)
        own = event_id(dataset, sender, str(caller.role), caller.subject, told)
        found = self.events.find(dataset, sender, own)
        if found and any(found.row.get(name) != value for name, value in content.items()):
            raise key_used()
        event = Event(dataset, own, sender, {"write_id": own, **self.told_by(caller), **kept})
        return self.put(caller, event, versions)

    def put_state(
        self, caller: Caller, alert: Mapping[str, Any], step: Step, versions: Mapping[str, int], key: str = ""
    ) -> Written:
        """State that an alert is seen, handled or false. Raises ProblemError for a step that is none.

        The same state again is the one before; with a key, what was sent under it, whatever came since.
        """
        number, office = str(alert["alert_id"]), self.office()
        with self._lock:
            before = self.states(number)
            alike = [one for one in before if one.row.get("alert_state_code") == step.state]
            current = self.state_of(alert, before, versions)
            if key:
                own = event_id("alert_state", number, caller.subject, f"key {key}")
                if found := self.events.find("alert_state", office, own):
                    if found.row.get("alert_state_code") != step.state:
                        raise key_used()
                    return self.written(found, versions)
            else:
                own = event_id("alert_state", number, step.state, str(len(before)))
                is_late = step.state == "seen" and current in CLOSED and not step.reopen
                if alike and (current == step.state or is_late):
                    return self.written(alike[-1], versions)
            check_step(current, step)
            row = {
                "alert_id": number,
                "alert_state_code": step.state,
                "stated_date": self.today().isoformat(),
                "handler_name": self.signed(caller),
                "handling_text": step.note,
                "written_time": _now(),
            }
            return self.put(caller, Event("alert_state", own, office, row), versions)

    def states(self, number: str) -> list[Landed]:
        """What was written in the portal about an alert, the oldest first."""
        return [one for one in self.events.landed("alert_state") if one.row.get("alert_id") == number]

    def state_of(self, alert: Mapping[str, Any], written: list[Landed], versions: Mapping[str, int]) -> str:
        """The state now: the last one written that the release does not show yet, else the release's."""
        taken = self.events.taken("alert_state", versions)
        waiting = [one for one in written if one.delivery_id not in taken]
        return str((waiting[-1].row if waiting else alert).get("alert_state_code", alert["alert_state"]))

    def closings(self, school: str, hazard: str) -> list[Landed]:
        """The closings of a hazard that were written in the portal, the oldest first."""
        return [
            one
            for one in self.events.landed("hazard_register")
            if (one.row.get("school_code"), one.row.get("hazard_code")) == (school, hazard)
        ]

    def put_closing(
        self,
        caller: Caller,
        hazard: Mapping[str, Any],
        closing: Closing,
        versions: Mapping[str, int],
        key: str = "",
    ) -> Written:
        """State a hazard again as its sender did last, closed. Raises ProblemError for one that is closed.

        With a key, what was sent under it, whatever came since.
        """
        school, code = str(hazard["school_code"]), str(hazard["hazard_code"])
        with self._lock:
            before, taken = self.closings(school, code), self.events.taken("hazard_register", versions)
            own = event_id("hazard_register", school, code, str(len(before)))
            if key:
                own = event_id("hazard_register", school, code, caller.subject, f"key {key}")
                if found := self.events.find("hazard_register", self.office(), own):
                    if not closing.is_of(found.row):
                        raise key_used()
                    return self.written(found, versions)
            if before and before[-1].delivery_id not in taken:
                return self.written(before[-1], versions)
            if hazard["hazard_status_code"] == "closed":
                if before:
                    return self.written(before[-1], versions)
                raise ProblemError(409, "already-closed", "该隐患已经销号", "the register has it as closed")
            row = self._last_statement(school, code) or {}
            row |= {
                **{name: hazard[name] for name in _HAZARD if name not in row},
                "hazard_status_code": "closed",
                "hazard_done_date": closing.done or self.today(),
                "reviewed_date": self.today(),
                "reviewer_name": self.signed(caller),
                "review_text": closing.note,
            }
            told = {name: value if value is None else str(value) for name, value in row.items()}
            return self.put(caller, Event("hazard_register", own, self.office(), told), versions)

    def _last_statement(self, school: str, code: str) -> dict[str, Any] | None:
        """What the register says of a hazard: a closing that left a value out would take it back."""
        columns = [*_HAZARD, *_HAZARD_MORE, "stated_on", "delivery_no", "_file_sha256", "_line_number"]
        own = [
            row
            for row in tables.rows(self.settings, "clean_safety__hazard", columns)
            if (row["school_code"], row["hazard_code"]) == (school, code)
        ]
        if not own:
            return None
        newest = max(own, key=lambda row: tuple(row[name] for name in columns[-4:]))
        return {name: newest[name] for name in (*_HAZARD, *_HAZARD_MORE)}

    def written(self, event: Landed, versions: Mapping[str, int], *, is_new: bool = False) -> Written:
        """What is said of an event that lies in landing."""
        return Written(event, is_new, event.delivery_id not in self.events.taken(event.dataset, versions))


_HAZARD = (
    *("school_code", "hazard_code", "found_date", "hazard_category_code", "hazard_grade_code"),
    "hazard_due_date",
)
_HAZARD_MORE = ("school_hazard_category_code", "hazard_funds_yuan")


@dataclass(frozen=True)
class Closing:
    """That a hazard was mended: on which day (today where none is told), and what is noted of it."""

    done: date | None
    note: str = ""

    def is_of(self, row: Mapping[str, Any]) -> bool:
        """Whether a closing that was written says the same."""
        is_day = self.done is None or row.get("hazard_done_date") == self.done.isoformat()
        return is_day and (row.get("review_text") or "") == self.note


@dataclass(frozen=True)
class Step:
    """A state that somebody gives an alert; `reopen`: though it is closed."""

    state: str
    note: str = ""
    reopen: bool = False


def check_step(current: str, step: Step) -> None:
    """Whether an alert may go from a state to another: new, seen, then handled or false; a closed one is
    opened again only by who says so. Raises ProblemError.
    """
    wanted, reopen = step.state, step.reopen
    if current in CLOSED:
        if reopen and wanted == "seen":
            return
        raise ProblemError(
            409, "alert-closed", "该预警已办结", "it is closed: state `seen` with `reopen` to open it again"
        )
    if reopen:
        raise ProblemError(
            409, "alert-open", "该预警尚未办结", "it is not closed, and cannot be opened again"
        )
    if current not in ("new", "seen"):
        raise ProblemError(409, "alert-over", "该预警已结束，不再处置", f"its state is {current}")
    if current == wanted:
        raise ProblemError(409, "alert-seen", "该预警已标记为已阅", "it is seen already")
    if current == "new" and wanted in CLOSED:
        raise ProblemError(409, "alert-not-seen", "请先标记已阅", "state `seen` first")


def key_used() -> ProblemError:
    """A key that was sent with something else before."""
    return ProblemError(
        422,
        "key-used",
        "该 Idempotency-Key 已用于另一内容",
        "this Idempotency-Key was sent with another content: use a new one",
    )


def _key(folder: Path) -> bytes:
    """The key of pseudonyms of writers, made once. That of pupils is not the portal's to hold."""
    file = folder / "writers.key"
    with suppress(FileNotFoundError):
        return file.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".writers") as fresh:
        fresh.write(secrets.token_bytes(32))
        fresh.flush()
        os.fsync(fresh.fileno())
        # Whole or not there; of two that make one at once the first stays.
        with suppress(FileExistsError):
            os.link(fresh.name, file)
    fsync(folder)
    return file.read_bytes()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

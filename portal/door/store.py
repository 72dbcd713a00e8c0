"""What the door remembers: every hand-in, its files, and the deliveries that wait for a verdict.

One SQLite file in `door/` of the site, for its owner alone: names of files are what senders typed. What is
written is on the disk when the call returns.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# States of a hand-in, and of a delivery's verdict.
TAKING, LANDED, REFUSED, WITHDRAWN = "taking", "landed", "refused", "withdrawn"
QUEUED, JUDGING, DONE, FAILED = "queued", "judging", "done", "failed"
# A delivery at which the judging process died so often is left to the run.
MOST_TRIES = 3

_TABLES = """
create table if not exists hand_in (
    no integer primary key, id text not null unique, sender text not null, subject text not null,
    who text not null, role text not null, handed_at text not null, received text not null,
    digest text not null, live_digest text unique, spool text, state text not null,
    withdrawn_at text, withdrawn_by text, reason text);
create table if not exists key (
    subject text not null, key text not null, digest text not null, hand_in text not null,
    primary key (subject, key));
create table if not exists file (
    hand_in text not null, n integer not null, name text not null, sha256 text not null,
    bytes integer not null, dataset text, feed text, delivery_id text, receipt_id text,
    reasons text not null, verdict text, primary key (hand_in, n));
create table if not exists delivery (
    no integer primary key, hand_in text not null, delivery_id text not null, is_new integer not null,
    state text not null, tries integer not null default 0, judged_at text,
    unique (hand_in, delivery_id));
create table if not exists unwritten (
    no integer primary key, hand_in text not null, numbers text not null, is_under_way integer not null);
create index if not exists hand_in_of_sender on hand_in (sender, no);
create index if not exists delivery_waits on delivery (state, no);
"""


@dataclass
class OneFile:
    """One file of a hand-in, of one feed. `reasons`: why it was refused at the door; then it lies nowhere."""

    n: int
    name: str
    sha256: str
    bytes: int
    dataset: str | None = None
    feed: str | None = None
    delivery_id: str | None = None
    receipt_id: str | None = None
    reasons: list[str] = field(default_factory=list)
    verdict: dict[str, Any] | None = None


@dataclass
class HandIn:
    """What one caller handed in at once for one sender. `verdicts`: delivery -> state of its verdict."""

    no: int
    id: str
    sender: str
    subject: str
    who: str
    role: str
    handed_at: str
    received: str
    digest: str
    spool: str | None
    state: str
    withdrawn_at: str | None
    withdrawn_by: str | None
    reason: str | None
    files: list[OneFile] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)


_HAND_IN = [name for name in HandIn.__dataclass_fields__ if name not in ("files", "verdicts")]
_FILE = list(OneFile.__dataclass_fields__)


def now() -> str:
    """This moment, as it is written down."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _of_senders(senders: Iterable[str] | None) -> tuple[str, list[Any]]:
    if senders is None:
        return "true", []
    return "sender in (select value from json_each(?))", [json.dumps([*senders])]


class Store:
    """The door's own book."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._path = folder / "door.sqlite"
        with self._open() as db:
            db.execute("pragma journal_mode = wal")
            db.executescript(_TABLES)
        self._path.chmod(0o600)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as db:
            db.execute("pragma synchronous = full")
            yield db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.execute("rollback")
                raise
            db.execute("commit")

    def begin(self, made: HandIn, key: str | None) -> HandIn | None:
        """Write down a hand-in that is about to be landed, or one that is refused.

        The one that stands already, with the same files of the same sender or under the same key, is returned
        instead; None where this one is new. Raises KeyError for a key that was used for other files.
        """
        with self._writing() as db:
            if key:
                found = db.execute(
                    "select digest, hand_in from key where subject = ? and key = ?", (made.subject, key)
                ).fetchone()
                if found and found[0] != made.digest:
                    raise KeyError(key)
                if found:
                    return self._of(db, "id = ?", [found[1]])[0]
            live = None if made.state == REFUSED else made.digest
            earlier = self._of(db, "live_digest = ?", [live]) if live else []
            one = earlier[0] if earlier else made
            if key:
                db.execute("insert into key values (?, ?, ?, ?)", (made.subject, key, made.digest, one.id))
            if earlier:
                return one
            values = {name: getattr(made, name) for name in _HAND_IN if name != "no"} | {"live_digest": live}
            db.execute(
                f"insert into hand_in ({', '.join(values)}) values ({', '.join('?' * len(values))})",
                [*values.values()],
            )
            for file in made.files:
                told = [made.id, *(getattr(file, name) for name in _FILE)]
                told[1 + _FILE.index("reasons")] = json.dumps(file.reasons, ensure_ascii=False)
                told[1 + _FILE.index("verdict")] = None
                db.execute(
                    f"insert into file (hand_in, {', '.join(_FILE)}) values ({', '.join('?' * len(told))})",
                    told,
                )
        return None

    def landed(self, made: HandIn, is_new: Mapping[str, bool]) -> None:
        """Note where the files lie now, and have each delivery judged."""
        with self._writing() as db:
            for file in made.files:
                db.execute(
                    "update file set delivery_id = ?, receipt_id = ? where hand_in = ? and n = ?",
                    (file.delivery_id, file.receipt_id, made.id, file.n),
                )
            for delivery_id, new in is_new.items():
                db.execute(
                    "insert or ignore into delivery (hand_in, delivery_id, is_new, state)"
                    " values (?, ?, ?, ?)",
                    (made.id, delivery_id, new, QUEUED),
                )
            db.execute("update hand_in set state = ?, spool = null where id = ?", (LANDED, made.id))

    def given_up(self, hand_in: str) -> None:
        """Forget a hand-in that could not be landed; nothing of it lies anywhere."""
        with self._writing() as db:
            for table, column in (("hand_in", "id"), ("file", "hand_in"), ("key", "hand_in")):
                db.execute(f"delete from {table} where {column} = ?", (hand_in,))

    def withdrawn(self, hand_in: str, by: str, reason: str) -> None:
        """Note that a hand-in was taken back. The same files may be handed in again."""
        with self._writing() as db:
            db.execute(
                "update hand_in set state = ?, live_digest = null, withdrawn_at = ?, withdrawn_by = ?,"
                " reason = ? where id = ? and state <> ?",
                (WITHDRAWN, now(), by, reason, hand_in, WITHDRAWN),
            )

    def next_waiting(self) -> tuple[HandIn, str] | None:
        """Take the delivery that has waited longest for its verdict; None where none waits.

        Those of one sender are judged one after the other: each is compared with the one before.
        """
        with self._writing() as db:
            busy = (
                "select sender from delivery join hand_in on hand_in.id = delivery.hand_in"
                " where delivery.state = ?"
            )
            found = db.execute(
                "select delivery.no, hand_in, delivery_id from delivery"
                " join hand_in on hand_in.id = delivery.hand_in"
                f" where delivery.state = ? and sender not in ({busy}) order by delivery.no limit 1",
                (QUEUED, JUDGING),
            ).fetchone()
            if found is None:
                return None
            db.execute("update delivery set state = ? where no = ?", (JUDGING, found[0]))
            return self._of(db, "id = ?", [found[1]])[0], str(found[2])

    def judged(self, hand_in: str, delivery_id: str, verdicts: Mapping[int, Mapping[str, Any]]) -> None:
        """Note the verdicts of a delivery's files, by number; their reports are to be written."""
        with self._writing() as db:
            for n, verdict in verdicts.items():
                told = json.dumps(verdict, ensure_ascii=False)
                db.execute("update file set verdict = ? where hand_in = ? and n = ?", (told, hand_in, n))
            db.execute(
                "update delivery set state = ?, judged_at = ? where hand_in = ? and delivery_id = ?",
                (DONE, now(), hand_in, delivery_id),
            )
            db.execute(
                "insert into unwritten (hand_in, numbers, is_under_way) values (?, ?, 0)",
                (hand_in, json.dumps([*verdicts])),
            )

    def next_unwritten(self) -> tuple[str, list[int]] | None:
        """Take the files (hand-in, numbers) whose reports have waited longest; None where none wait."""
        with self._writing() as db:
            found = db.execute(
                "update unwritten set is_under_way = 1 where no ="
                " (select min(no) from unwritten where not is_under_way) returning hand_in, numbers"
            ).fetchone()
        return (found[0], json.loads(found[1])) if found else None

    def written(self, hand_in: str, numbers: Sequence[int]) -> None:
        """Note that nobody needs to write the reports of these files any more."""
        with self._writing() as db:
            db.execute(
                "delete from unwritten where hand_in = ? and numbers = ?", (hand_in, json.dumps([*numbers]))
            )

    def not_judged(self, hand_in: str, delivery_id: str) -> None:
        """Have a delivery judged again, after others; left to the run once it was tried too often."""
        with self._writing() as db:
            db.execute(
                "update delivery set tries = tries + 1, state = case when tries + 1 < ? then ? else ? end"
                " where hand_in = ? and delivery_id = ?",
                (MOST_TRIES, QUEUED, FAILED, hand_in, delivery_id),
            )

    def interrupted(self) -> list[HandIn]:
        """Queue again what a process that is gone was judging or writing; the hand-ins being landed."""
        with self._writing() as db:
            db.execute("update unwritten set is_under_way = 0")
            db.execute("update delivery set state = ? where state = ?", (QUEUED, JUDGING))
            return self._of(db, "state = ?", [TAKING])

    def unlanded(self) -> list[HandIn]:
        """The hand-ins that were written down and are not landed yet."""
        with self._open() as db:
            return self._of(db, "state = ?", [TAKING])

    def waiting(self) -> int:
        """How many deliveries wait for a verdict, those that are being judged among them."""
        with self._open() as db:
            query = "select count(*) from delivery where state in (?, ?)"
            return int(db.execute(query, (QUEUED, JUDGING)).fetchone()[0])

    def before(self, hand_in: str) -> int:
        """How many deliveries are judged before those of a hand-in that still wait."""
        with self._open() as db:
            query = (
                "select count(*) from delivery where state in (?, ?) and no <"
                " (select min(no) from delivery where hand_in = ? and state = ?)"
            )
            return int(db.execute(query, (QUEUED, JUDGING, hand_in, QUEUED)).fetchone()[0])

    def get(self, hand_in: str) -> HandIn | None:
        """One hand-in with its files; None for an id that there is not."""
        with self._open() as db:
            found = self._of(db, "id = ?", [hand_in])
            return found[0] if found else None

    def listed(
        self, senders: Iterable[str] | None = None, until: str = "", most: int | None = None
    ) -> list[HandIn]:
        """The hand-ins of these senders, of all where none is given, the newest first; `most` of them, from
        the moment `until` back.
        """
        where, values = _of_senders(senders)
        if until:
            where, values = f"{where} and handed_at <= ?", [*values, until]
        if most is not None:
            inside = f"select no from hand_in where {where} order by handed_at desc, id desc limit {most}"
            where = f"no in ({inside})"
        with self._open() as db:
            return self._of(db, where, values)

    def delivery_ids(self, senders: Iterable[str] | None = None) -> set[str]:
        """The lake's deliveries that hand-ins of these senders brought."""
        where, values = _of_senders(senders)
        query = f"select delivery_id from delivery join hand_in on hand_in.id = hand_in where {where}"
        with self._open() as db:
            return {row[0] for row in db.execute(query, values)}

    def judged_before(self, made: HandIn) -> list[tuple[str, str, int]]:
        """(receipt, hand-in, number) of the sender's files that were judged before a hand-in and stand."""
        query = (
            "select receipt_id, hand_in, n from file join hand_in on hand_in.id = hand_in"
            " where sender = ? and no < ? and state = ? and verdict is not null and receipt_id is not null"
        )
        with self._open() as db:
            return db.execute(query, (made.sender, made.no, LANDED)).fetchall()

    def _of(self, db: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[HandIn]:
        rows = db.execute(
            f"select {', '.join(_HAND_IN)} from hand_in where {where} order by handed_at desc, id desc",
            values,
        ).fetchall()
        found = {row[1]: HandIn(*row) for row in rows}
        ids = [json.dumps([*found])]
        inside = "where hand_in in (select value from json_each(?))"
        files = f"select hand_in, {', '.join(_FILE)} from file {inside} order by hand_in, n"
        for hand_in, *told in db.execute(files, ids):
            file = OneFile(*told)
            file.reasons = json.loads(told[_FILE.index("reasons")])
            file.verdict = json.loads(file.verdict) if isinstance(file.verdict, str) else None
            found[hand_in].files.append(file)
        states = f"select hand_in, delivery_id, state from delivery {inside} order by no"
        for hand_in, delivery_id, state in db.execute(states, ids):
            found[hand_in].verdicts[delivery_id] = state
        return [*found.values()]

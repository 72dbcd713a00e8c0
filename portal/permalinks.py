"""Permanent links to built tables: the cells are kept as they were shown, for those who may see them.

A link pins its release and keeps the answer itself, so that it shows the same when that release is kept no
longer, with the cells that were suppressed then. It is bound to the scope of its maker, or to nobody where
the table is public.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.access.store import Store
from portal.access.limits import Limits

_SCHEMA = """
create table if not exists permalink (
    id text primary key, scope text not null, release integer not null, made_at text not null,
    question text not null, body blob not null
);
"""
# What all links may take on the disk together, those of one scope, and one of them.
MOST_BYTES = 2 * 1024**3
MOST_OF_SCOPE = MOST_BYTES // 8
MOST_BODY = 4 * 1024**2
PUBLIC = "public"


@dataclass(frozen=True)
class Permalink:
    """A link: what it shows, to whom, and of which release."""

    id: str
    scope: str
    release: int
    made_at: str
    body: bytes


class FullError(Exception):
    """No room for another link."""


class Permalinks:
    """The links of a site."""

    def __init__(self, store: Store) -> None:
        self._store = store.has(_SCHEMA)
        self.limits = Limits()

    def keep(self, scope: str, release: int, question: str, body: bytes) -> Permalink:
        """A link to this answer; a question of one release and scope has one link. Raises FullError."""
        if len(body) > MOST_BODY:
            raise FullError
        name = hashlib.sha256(f"{scope}\n{release}\n{question}".encode()).digest()
        link = base64.b32encode(name).decode().lower()[:16]
        kept = self.find(link)
        if kept is not None:
            return kept
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        with self._store.writing(is_told=False) as connection:
            used, of_scope = connection.execute(
                "select coalesce(sum(length(body)), 0),"
                " coalesce(sum(length(body)) filter (where scope = ?), 0) from permalink",
                (scope,),
            ).fetchone()
            if used + len(body) > MOST_BYTES or of_scope + len(body) > MOST_OF_SCOPE:
                raise FullError
            connection.execute(
                "insert or ignore into permalink values (?, ?, ?, ?, ?, ?)",
                (link, scope, release, made_at, question, body),
            )
        return Permalink(link, scope, release, made_at, body)

    def find(self, link: str) -> Permalink | None:
        """The link of that name."""
        row = self._store.row("select id, scope, release, made_at, body from permalink where id = ?", (link,))
        return Permalink(*row) if row else None

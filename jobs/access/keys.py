"""Keys of machines: hashed, for one role and unit, with abilities, an end and a rate; revoked at once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.access.caller import Caller, Role
from jobs.access.store import Store
from jobs.settings import UserError

# read: what its role may see. hand-in: files. write: seen, handled, corrections. share: shared tables.
ABILITIES = ("read", "hand-in", "write", "share", "metrics")
PER_MINUTE = 600
DAYS = 365
_BEGIN = "edk"

SCHEMA = """
create table if not exists key (
    id text primary key, hash text not null, name text not null, role text not null, unit_code text not null,
    district_code text not null, abilities text not null, per_minute integer not null, made_by text not null,
    made_at text not null, ends_at text not null, revoked_at text);
"""


@dataclass(frozen=True)
class Key:
    """A key as it is listed; its secret is shown once, when it is made."""

    id: str
    name: str
    role: Role
    unit_code: str
    district_code: str
    abilities: tuple[str, ...]
    per_minute: int
    made_by: str
    made_at: str
    ends_at: str
    revoked_at: str | None

    @property
    def caller(self) -> Caller:
        """Who asks with it."""
        return Caller(
            self.role,
            f"key-{self.id}",
            self.name,
            self.unit_code,
            self.district_code,
            via="key",
            abilities=frozenset(self.abilities),
        )


@dataclass(frozen=True)
class Wanted:
    """What a new key shall be."""

    name: str
    role: Role
    unit_code: str = ""
    district_code: str = ""
    abilities: tuple[str, ...] = ("read",)
    days: int = DAYS
    per_minute: int = PER_MINUTE


def add(store: Store, wanted: Wanted, by: str) -> tuple[Key, str]:
    """Make a key. Returns it with the text that its machine sends, which is kept nowhere.

    Raises UserError for a role that a machine cannot have or that needs a unit, and for unknown abilities.
    """
    _check(wanted)
    now = datetime.now(UTC)
    made = Key(
        secrets.token_hex(6),
        wanted.name,
        wanted.role,
        wanted.unit_code,
        wanted.district_code or (wanted.unit_code if wanted.role == Role.DISTRICT else ""),
        tuple(sorted(set(wanted.abilities))),
        wanted.per_minute,
        by,
        now.isoformat(timespec="seconds"),
        (now + timedelta(days=wanted.days)).isoformat(timespec="seconds"),
        None,
    )
    secret = secrets.token_urlsafe(32)
    with store.has(SCHEMA).writing() as connection:
        connection.execute(
            "insert into key values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null)",
            (
                *(made.id, _hashed(secret), made.name, str(made.role), made.unit_code, made.district_code),
                *(" ".join(made.abilities), made.per_minute, made.made_by, made.made_at, made.ends_at),
            ),
        )
    return made, f"{_BEGIN}_{made.id}_{secret}"


def _check(wanted: Wanted) -> None:
    if wanted.role in (Role.PUBLIC, Role.FAMILY):
        raise UserError(f"a machine cannot have the role {wanted.role}.", "The public needs no key.")
    if wanted.role in (Role.SENDER, Role.SCHOOL, Role.DISTRICT) and not wanted.unit_code:
        raise UserError(f"the role {wanted.role} needs a unit.", "Give --unit with its code.")
    if wanted.role == Role.SCHOOL and not wanted.district_code:
        raise UserError("a school's key needs its district.", "Give --district with the district's code.")
    if unknown := sorted(set(wanted.abilities) - set(ABILITIES)):
        raise UserError(f"there is no ability {', '.join(unknown)}.", f"Known: {', '.join(ABILITIES)}.")
    if not wanted.abilities or wanted.days < 1 or wanted.per_minute < 1:
        raise UserError("a key that can do nothing, or never.", "Give it an ability, days and a rate.")


def found(store: Store, sent: str, now: datetime | None = None) -> Key | None:
    """The key whose text was sent; None for one that is not good (any more)."""
    parts = sent.split("_", 2)
    if len(parts) != 3 or parts[0] != _BEGIN:
        return None
    row = store.row("select * from key where id = ?", (parts[1],))
    # Compared in any case, so that time does not tell which keys there are.
    if not hmac.compare_digest(row["hash"] if row else "0" * 64, _hashed(parts[2])) or row is None:
        return None
    key = _key(row)
    return key if _is_good(key, now) else None


def is_good(store: Store, id: str) -> bool:
    """Whether there is a key of this id that is good."""
    row = store.row("select * from key where id = ?", (id,))
    return row is not None and _is_good(_key(row))


def _is_good(key: Key, now: datetime | None = None) -> bool:
    moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    return not key.revoked_at and key.ends_at > moment


def listed(store: Store) -> list[Key]:
    """All keys, the oldest first."""
    return [_key(row) for row in store.has(SCHEMA).rows("select * from key order by made_at, id")]


def revoke(store: Store, id: str) -> Key:
    """Revoke a key: the next request with it is refused. Raises UserError for an unknown one."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    with store.has(SCHEMA).writing() as connection:
        connection.execute("update key set revoked_at = coalesce(revoked_at, ?) where id = ?", (moment, id))
    row = store.row("select * from key where id = ?", (id,))
    if row is None:
        raise UserError(f"there is no key {id}.", "See `./edulake access key list`.")
    return _key(row)


def _key(row: object) -> Key:
    told = dict(row)  # type: ignore[call-overload]
    told.pop("hash")
    return Key(**{**told, "role": Role(told["role"]), "abilities": tuple(told["abilities"].split())})


def _hashed(secret: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()

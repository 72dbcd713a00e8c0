"""Family codes: a school hands out one for one pupil; hashed slowly, expiring, revocable at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobs.access.caller import Caller, Role
from jobs.access.store import Store
from jobs.settings import UserError

DAYS = 30
# No letter or digit that looks like another.
_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_PREFIX, _SECRET = 4, 12

SCHEMA = """
create table if not exists code (
    prefix text primary key, salt text not null, hash text not null, pupil_key text not null,
    school_code text not null, district_code text not null, made_by text not null, made_at text not null,
    ends_at text not null, revoked_at text);
"""


@dataclass(frozen=True)
class Code:
    """A code as it is listed. Its prefix names it; the rest is shown once, when it is made."""

    prefix: str
    pupil_key: str
    school_code: str
    district_code: str
    made_by: str
    made_at: str
    ends_at: str
    revoked_at: str | None

    @property
    def caller(self) -> Caller:
        """Who asks with it."""
        return Caller(
            Role.FAMILY,
            f"code-{self.prefix}",
            "家庭",
            district_code=self.district_code,
            pupil_key=self.pupil_key,
            via="code",
        )


@dataclass(frozen=True)
class Pupil:
    """Whom a code is for, and where he learns."""

    pupil_key: str
    school_code: str
    district_code: str


def add(store: Store, pupil: Pupil, by: str, days: int = DAYS) -> tuple[Code, str]:
    """Make a code for a pupil; his former ones end. Returns it with its text, which is kept nowhere."""
    if not 1 <= days <= 366:
        raise UserError(f"a code cannot hold for {days} days.", "Give 1 to 366 days.")
    now = datetime.now(UTC)
    prefix = "".join(secrets.choice(_SIGNS) for _ in range(_PREFIX))
    secret = "".join(secrets.choice(_SIGNS) for _ in range(_SECRET))
    salt = secrets.token_hex(16)
    moment = now.isoformat(timespec="seconds")
    ends = (now + timedelta(days=days)).isoformat(timespec="seconds")
    code = Code(prefix, pupil.pupil_key, pupil.school_code, pupil.district_code, by, moment, ends, None)
    with store.has(SCHEMA).writing() as connection:
        connection.execute(
            "update code set revoked_at = ? where pupil_key = ? and revoked_at is null",
            (moment, pupil.pupil_key),
        )
        # A prefix is one of 900,000; that of a code that is over may be used again.
        connection.execute("delete from code where prefix = ? and ends_at < ?", (prefix, moment))
        connection.execute(
            "insert into code values (?, ?, ?, ?, ?, ?, ?, ?, ?, null)",
            (
                *(prefix, salt, _hashed(secret, salt), code.pupil_key, code.school_code),
                *(code.district_code, by, moment, ends),
            ),
        )
    text = prefix + secret
    return code, "-".join(text[place : place + 4] for place in range(0, len(text), 4))


def plain(sent: str) -> str:
    """A code as it is compared: capital letters and digits alone, whatever a person typed between them."""
    return "".join(sign for sign in sent.upper() if sign.isascii() and sign.isalnum())[:64]


def found(store: Store, sent: str, now: datetime | None = None) -> Code | None:
    """The code that was sent; None for one that is not good (any more). Takes as long for any text."""
    text = plain(sent)
    row = store.row("select * from code where prefix = ?", (text[:_PREFIX],))
    hashed = _hashed(text[_PREFIX:], row["salt"] if row else "0" * 32)
    if not hmac.compare_digest(row["hash"] if row else "-" * len(hashed), hashed) or row is None:
        return None
    code = _code(row)
    return code if is_good(code, now) else None


def is_good(code: Code, now: datetime | None = None) -> bool:
    """Whether a code is neither over nor revoked."""
    return not code.revoked_at and code.ends_at > (now or datetime.now(UTC)).isoformat(timespec="seconds")


def of(store: Store, prefix: str) -> Code | None:
    """The code of that prefix, good or not."""
    row = store.row("select * from code where prefix = ?", (prefix,))
    return _code(row) if row else None


def listed(store: Store, school_code: str = "") -> list[Code]:
    """The codes of a school, or all, the oldest first."""
    query = "select * from code where ? in ('', school_code) order by made_at, prefix"
    return [_code(row) for row in store.has(SCHEMA).rows(query, (school_code,))]


def revoke(store: Store, prefix: str, school_code: str = "") -> Code:
    """Revoke a code: whoever is signed in by it is out at once. Raises UserError for an unknown one."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    store.has(SCHEMA)
    code = of(store, prefix)
    if code is None or school_code not in ("", code.school_code):
        raise UserError(f"there is no code {prefix}.", "See `./edulake access code list`.")
    with store.writing() as connection:
        connection.execute(
            "update code set revoked_at = coalesce(revoked_at, ?) where prefix = ?", (moment, prefix)
        )
    return of(store, prefix) or code


def _code(row: object) -> Code:
    told = dict(row)  # type: ignore[call-overload]
    return Code(**{name: value for name, value in told.items() if name not in ("salt", "hash")})


def _hashed(secret: str, salt: str) -> str:
    # 59 bits: slow enough that a stolen file is of no use.
    made = hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
    return base64.b64encode(made).decode()

"""Persons' identifiers become opaque tokens at the border of raw and clean; the secrets lie outside the lake.

An unkeyed hash of an identity number is undone by trying every number, so an identifier is looked up by its
HMAC-SHA256 under a key of the site (GB/T 37964; reading of `privacy_rules.md` rule 8). Its token is minted
from that by a second secret of the house, which a rotation destroys: from then on no old key leads to a
token, and tokens in clean tables stay as they are. Nothing needs a lock: two feeds that meet a new person at
once mint the same token.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets as random_secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.files import replacing
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    import duckdb

SHORTEST_SECRET = 32
_DIGITS = 32
_BLOCK = 64  # bytes that SHA-256 takes at once


@dataclass(frozen=True)
class Keys:
    """The secrets of one version: `lookup` finds an identifier, `mint` makes its token."""

    version: int
    lookup: bytes
    mint: bytes

    @property
    def epoch(self) -> str:
        """Names the mint without telling it."""
        return hashlib.sha256(b"epoch|" + self.mint).hexdigest()[:16]


def keys(settings: Settings) -> Keys:
    """The site's secrets of today. The mint is made at the first call and lies in `secrets/`, for the owner
    alone; a synthetic site derives it, so that its tokens are the same everywhere.
    """
    with _state(settings) as state:
        version = int(state.setdefault("version", 1))
        if settings.is_synthetic:
            seed = f"edulake synthetic mint {city_seed(settings)}/{version}"
            return Keys(version, secret(settings, version), hashlib.sha256(seed.encode()).digest())
        mint = state.setdefault("mint", random_secrets.token_hex(32))
        return Keys(version, secret(settings), bytes.fromhex(str(mint)))


def renew(settings: Settings) -> None:
    """The next version: the old mint is gone for good. Only `jobs.lake.persons.rotate` may call this."""
    with _state(settings) as state:
        state["version"] = int(state.get("version", 1)) + 1
        state["mint"] = random_secrets.token_hex(32)


@contextmanager
def _state(settings: Settings) -> Iterator[dict[str, str | int]]:
    """What is kept beside the key, written back where it changed; one process at a time."""
    file = settings.secrets / "identity.json"
    with (settings.secrets / ".identity.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before: dict[str, str | int] = json.loads(file.read_text()) if file.is_file() else {}
        state = dict(before)
        yield state
        if state != before:
            with replacing(file, mode=0o600) as fresh:
                fresh.write_text(json.dumps(state))


def check(settings: Settings) -> None:
    """Raise UserError where a site's files may name persons and its key is missing or open to others; asked
    before anything starts.
    """
    if settings.holds_persons and not settings.is_synthetic:
        secret(settings)


def secret(settings: Settings, version: int = 1) -> bytes:
    """The site's secret. A synthetic site derives it from its seed, so that its keys are the same everywhere.

    Raises UserError where a real site has no `EDULAKE_HMAC_KEY_FILE`, or one that is short or open to others.
    """
    if settings.is_synthetic:
        of_version = f"/{version}" if version > 1 else ""
        return hashlib.sha256(f"edulake synthetic city {city_seed(settings)}{of_version}".encode()).digest()
    named = os.environ.get("EDULAKE_HMAC_KEY_FILE")
    if not named:
        raise UserError(
            f"{settings.site} holds persons and no key to make them opaque.",
            f"Put at least {SHORTEST_SECRET} random bytes in a file of mode 600 outside the lake and name it "
            "in EDULAKE_HMAC_KEY_FILE. A site whose files hold counts alone says `persons: false` in its "
            "settings file.",
        )
    return key_in(Path(named))


def key_in(file: Path) -> bytes:
    """The key that a file holds. Raises UserError where it is missing, short, or open to others."""
    key = file.read_bytes().strip() if file.is_file() else b""
    if len(key) < SHORTEST_SECRET or file.stat().st_mode & 0o077:
        raise UserError(
            f"the key file {file} is missing, shorter than {SHORTEST_SECRET} bytes, or open to others.",
            f"Write {SHORTEST_SECRET} random bytes or more into it and `chmod 600` it.",
        )
    return key


def city_seed(settings: Settings) -> int:
    """The seed of the synthetic city that was landed here; the default city's where none was."""
    return int(_city(settings).get("seed", 7))


def city_scale(settings: Settings) -> float:
    """The size of the synthetic city that was landed here; 1, the whole city, where none was."""
    return float(_city(settings).get("scale", 1)) if settings.is_synthetic else 1.0


def _city(settings: Settings) -> dict[str, float]:
    note = settings.run / "city.json"
    return dict(json.loads(note.read_text())) if note.is_file() else {}


def lookup_hmac(kind: str, identifier: str, lookup: bytes) -> str:
    """Thirty-two hex digits by which an identifier is found again under one lookup key."""
    return hmac.digest(lookup, f"{kind}|{identifier}".encode(), "sha256").hex()[:_DIGITS]


def token(kind: str, identifier: str, own: Keys) -> str:
    """The token that a new identifier gets: thirty-two hex digits."""
    return _minted(lookup_hmac(kind, identifier, own.lookup), own.mint)


def hold(db: duckdb.DuckDBPyConnection, own: Keys, name: str = "own") -> None:
    """Give a connection the secrets, by variables: no query's text holds them.

    HMAC is written out in SQL because it is three times as fast as Python's `hmac` in a function of DuckDB
    (1.2 s against 3.5 s for 400,000 identifiers); `lookup_hmac` and `token` are the reference that tests
    compare it with.
    """
    for which, key in (("lookup", own.lookup), ("mint", own.mint)):
        block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
        for side, pad in (("inner", 0x36), ("outer", 0x5C)):
            db.execute(f"set variable {name}_{which}_{side} = ?", [bytes(byte ^ pad for byte in block)])


def lookup_sql(identifier: str, kind: str, name: str = "own") -> str:
    """The expression of a column's `lookup_hmac`; null in, null out. The connection holds the secrets."""
    return _hmac_sql(f"'{kind}|' || {identifier}", f"{name}_lookup")


def token_sql(found_by: str, name: str = "own") -> str:
    """The expression of the token that a new identifier gets, from the column of its lookup HMAC."""
    return _hmac_sql(found_by, f"{name}_mint")


def _hmac_sql(message: str, key: str) -> str:
    inner = f"sha256(getvariable('{key}_inner') || encode({message}))"
    return f"substr(sha256(getvariable('{key}_outer') || from_hex({inner})), 1, {_DIGITS})"


def _minted(found_by: str, mint: bytes) -> str:
    return hmac.digest(mint, found_by.encode(), "sha256").hex()[:_DIGITS]

"""Who is who: tokens of identifiers (`restricted/person_identifier`) and the tokens of one person
(`clean_enrollment__person_link`).

Clean rows keep the token of the number that the sender wrote. Which tokens are one person is a statement of
its own, with a reason, and can be withdrawn; `pupil_key` is then the least token of a linked set, resolved
whenever rows are read, so that linking and parting rewrite nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from jobs import clock
from jobs.lake import identity, spare, tables
from jobs.lake.identity import Keys
from jobs.settings import Settings, UserError
from jobs.sql import literals

IDENTIFIERS = "person_identifier"
LINKS = "clean_enrollment__person_link"
SAME_DOCUMENT, BUREAU = "same_document", "bureau"
_ALWAYS = date(1900, 1, 1)
_TRIES = 5

# Restricted, so in no view and no list of declared tables.
IDENTIFIER_SCHEMA = pa.schema(
    [
        ("identifier_kind", pa.string()),
        ("identifier_hmac", pa.string()),
        ("key_version", pa.int32()),
        ("epoch", pa.string()),
        ("person_token", pa.string()),
        ("batch_id", pa.string()),
    ]
)


# Identifiers


def known_elsewhere(settings: Settings, own: Keys) -> pa.Table | None:
    """HMAC -> token of identifiers whose token was minted before the last rotation; None where none was.

    Everything else follows from the keys alone, so that a lake without a rotation looks nothing up.
    """
    found = tables.open_arrow(settings, IDENTIFIERS)
    if found is None:
        return None
    rows = found.to_table(columns=["identifier_hmac", "person_token", "epoch"])
    old = rows.filter(pa.compute.not_equal(rows["epoch"], own.epoch)).drop_columns(["epoch"])
    return old.group_by("identifier_hmac").aggregate([("person_token", "min")]) if old.num_rows else None


def remember(
    settings: Settings,
    own: Keys,
    stage: Path,
    kinds: Mapping[str, tuple[str, str]],
    batch_id: str,
    files: Iterable[str],
) -> int:
    """Note the identifiers of rows that went to clean and are not known yet; how many there were.

    `kinds`: kind -> (column with the HMAC, column with the token) in the judged Parquet files below `stage`;
    `files`: delivery id and hash, a blank between, of those that were accepted. Rows of equal content that
    two feeds note at once are equal, and harmless.
    """
    judged = literals(stage / "*.parquet")
    is_clean = f"len(refused) = 0 and concat_ws(' ', _delivery_id, _file_sha256) in ({literals(*files)})"
    parts = " union all ".join(
        f"select distinct '{kind}' as identifier_kind, {found_by} as identifier_hmac, {made} as person_token"
        f" from read_parquet({judged}) where {found_by} is not null and {is_clean}"
        for kind, (found_by, made) in kinds.items()
    )
    found = tables.open_arrow(settings, IDENTIFIERS)
    with duckdb.connect() as connection:
        there = found.to_table(columns=["identifier_hmac"]) if found else IDENTIFIER_SCHEMA.empty_table()
        connection.register("there", there)
        fresh: pa.Table = connection.sql(
            f"select identifier_kind, identifier_hmac, {own.version}::integer as key_version,"
            f" '{own.epoch}' as epoch, person_token, '{batch_id}' as batch_id"
            f" from ({parts}) anti join there using (identifier_hmac) order by all"
        ).to_arrow_table()
    if fresh.num_rows:
        _append(settings, fresh.cast(IDENTIFIER_SCHEMA), f"{IDENTIFIERS}/{batch_id}")
    return fresh.num_rows


def rekey(settings: Settings, rows: pa.Table, version: int) -> None:
    """Put the new version's rows in the place of all others: appended first and the others removed last, so
    that a kill in between loses no token.
    """
    _append(settings, rows.cast(IDENTIFIER_SCHEMA), f"{IDENTIFIERS}/version/{version}")
    identity.renew(settings)
    found = tables.open_table(settings, IDENTIFIERS)
    if found is not None:
        found.delete(f"key_version < {version}")
        found.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    spare.keep(settings, [IDENTIFIERS])


def _append(settings: Settings, rows: pa.Table, transaction: str) -> None:
    where = _private(settings)
    for attempt in range(_TRIES):
        found = tables.open_table(settings, IDENTIFIERS)
        if found is not None and found.transaction_version(transaction) is not None:
            return
        try:
            properties = CommitProperties(app_transactions=[Transaction(transaction, 1)])
            write_deltalake(
                str(where),
                rows,
                mode="append",
                configuration=tables.PLAIN_TABLE,
                commit_properties=properties,
            )
            return
        except CommitFailedError:
            if attempt == _TRIES - 1:
                raise


def _private(settings: Settings) -> Path:
    where = tables.path(settings, IDENTIFIERS)
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    where.chmod(0o700)
    return where


# Links


def decide(settings: Settings, one: str, other: str, note: str, day: date, *, are_one: bool) -> None:
    """The bureau's own word: two tokens are one person, or are not. It stands above all evidence found.

    Raises UserError for equal tokens, or a decision without a reason.
    """
    if one == other or not one or not other:
        raise UserError("a link needs two different tokens.", "Take pupil_key values of clean tables.")
    if not note.strip():
        raise UserError("a decision about persons needs a reason.", "Say it with --reason.")
    today = [r for r in tables.rows(settings, LINKS) if r["stated_on"] == day]
    number = max((r["delivery_no"] for r in today), default=0) + 1
    recorded = clock.start_of_day(day, settings.timezone)
    row = link(settings, min(one, other), max(one, other), recorded) | {
        "link_reason_code": BUREAU,
        "note": note,
        "stated_on": day,
        "delivery_no": number,
        "is_withdrawn": not are_one,
    }
    tables.append_rows(settings, LINKS, [row], f"decision/{version(settings)}", "decision")
    spare.keep(settings, [LINKS])


def check_known(settings: Settings, *tokens: str) -> None:
    """Raise UserError for a token that no pupil of the site has."""
    known = {row["person_token"] for row in tables.rows(settings, IDENTIFIERS, ["person_token"])}
    if strange := [token for token in tokens if token not in known]:
        near = [token for token in sorted(known) if token[:6] == strange[0][:6]][:3]
        raise UserError(
            f"no pupil has the key {strange[0]}" + (f"; did you mean {' or '.join(near)}?" if near else "."),
            "Take pupil_key values of clean tables.",
        )


def version(settings: Settings) -> int:
    """The version of the table of links; -1 where it was never written."""
    found = tables.open_table(settings, LINKS)
    return -1 if found is None else found.version()


def link(settings: Settings, one: str, other: str, recorded_at: datetime) -> dict[str, Any]:
    """A statement by evidence that two tokens, the lesser one first, are one person."""
    from zoneinfo import ZoneInfo

    return {
        "person_token": one,
        "linked_person_token": other,
        "link_reason_code": SAME_DOCUMENT,
        "note": None,
        "valid_from": _ALWAYS,
        "valid_to": None,
        "stated_on": recorded_at.astimezone(ZoneInfo(settings.timezone)).date(),
        "delivery_no": 0,
        "recorded_at": recorded_at,
        "is_withdrawn": False,
        "_file_sha256": None,
        "_line_number": None,
    }


# Resolving


def in_force(links: Iterable[Mapping[str, Any]], known_at: datetime) -> list[tuple[str, str]]:
    """Pairs that are one person as far as known: the bureau's word before evidence, then the newest."""
    newest: dict[tuple[str, str], tuple[Any, ...]] = {}
    for row in links:
        if row["recorded_at"] <= known_at:
            pair = row["person_token"], row["linked_person_token"]
            rank = (
                row["link_reason_code"] == BUREAU,
                row["stated_on"],
                row["delivery_no"],
                row["is_withdrawn"],
            )
            newest[pair] = max(newest.get(pair, rank), rank)
    return sorted(pair for pair, rank in newest.items() if not rank[-1])


def resolve(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Token -> least token of its linked set, for all tokens but the least ones themselves."""
    leader: dict[str, str] = {}

    def lead(token: str) -> str:
        while token in leader:
            token = leader[token]
        return token

    for one, other in pairs:
        first, second = sorted((lead(one), lead(other)))
        if first != second:
            leader[second] = first
    return {token: lead(token) for token in leader}


def persons(settings: Settings, known_at: datetime) -> dict[str, str]:
    """Token -> `pupil_key` where they differ, as known at a moment."""
    return resolve(in_force(tables.rows(settings, LINKS), known_at))

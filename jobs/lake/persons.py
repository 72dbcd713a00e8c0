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

from jobs import clock, declare
from jobs.lake import identity, tables
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


def find_links(settings: Settings) -> int:
    """State which temporary numbers (L), or registrations without a number, and which lasting numbers stand
    under one identity document. Returns how many pairs.

    Made anew from all rolls of the lake, so it is the same in whatever order they came. A document under more
    than one lasting number links nobody: that is a finding for its senders.
    """
    pairs: list[tuple[str, str, datetime]] = []
    rolls, registrations = (_files(settings, dataset) for dataset in ("pupil_roll", "pupil_registration"))
    if rolls:
        registered = (
            "select pupil_key as token, min(recorded_at) as recorded_at"
            f" from read_parquet([{registrations}], union_by_name = true) group by all"
            if registrations
            else "select null::varchar as token, null::timestamptz as recorded_at where false"
        )
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            pairs = connection.execute(
                f"""
                with seen as (
                    select document_key, pupil_key, pupil_number_kind = 'L' as is_temporary,
                        min(recorded_at) as recorded_at
                    from read_parquet([{rolls}], union_by_name = true)
                    where document_key is not null and pupil_key is not null group by all
                ),
                registered as ({registered}),
                lasting as (
                    select * from seen where not is_temporary
                    qualify count(*) over (partition by document_key) = 1
                ),
                earlier as (
                    select document_key, pupil_key, recorded_at from seen where is_temporary
                    union all
                    -- registered before there was a number: the document was all that named the child
                    select token, token, recorded_at from registered
                )
                select least(earlier.pupil_key, lasting.pupil_key),
                    greatest(earlier.pupil_key, lasting.pupil_key),
                    min(greatest(earlier.recorded_at, lasting.recorded_at))
                from earlier inner join lasting using (document_key)
                where earlier.pupil_key <> lasting.pupil_key
                group by 1, 2 order by 1, 2
                """
            ).fetchall()
    wanted = [_link(settings, *pair) for pair in pairs]
    standing = [row for row in tables.rows(settings, LINKS) if row["link_reason_code"] == SAME_DOCUMENT]
    key = ("person_token", "linked_person_token", "recorded_at")
    if {tuple(r[k] for k in key) for r in standing} != {tuple(r[k] for k in key) for r in wanted}:
        table = tables.open_table(settings, LINKS)
        if table is not None:
            table.delete(f"link_reason_code = '{SAME_DOCUMENT}'")
        tables.append_rows(settings, LINKS, wanted, f"links/{_version(settings)}", "links")
    return len(wanted)


def _files(settings: Settings, dataset: str) -> str:
    """The Parquet files of a dataset's clean table as a list in SQL; empty where nothing was written."""
    found = tables.open_table(settings, declare.load()[dataset].table)
    return literals(*found.file_uris()) if found else ""


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
    row = _link(settings, min(one, other), max(one, other), recorded) | {
        "link_reason_code": BUREAU,
        "note": note,
        "stated_on": day,
        "delivery_no": number,
        "is_withdrawn": not are_one,
    }
    tables.append_rows(settings, LINKS, [row], f"decision/{_version(settings)}", "decision")


def _version(settings: Settings) -> int:
    found = tables.open_table(settings, LINKS)
    return -1 if found is None else found.version()


def _link(settings: Settings, one: str, other: str, recorded_at: datetime) -> dict[str, Any]:
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

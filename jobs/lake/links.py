"""Evidence that two pupil numbers are one pupil: one identity document, and nothing against it.

A temporary number (L), or a registration without a number, is joined to the lasting number under the same
document. A shared document alone proves nothing: twins stand under a parent's passport, and whole classes
under 00000000. So a link needs that

- the document names somebody (no placeholder, and its check digit holds), and stands under at most `FEW`
  pupil numbers, one of them lasting;
- sex and birth date agree, by the newest statement of each number;
- no two of the numbers that agree are on the rolls of one term, at whatever school. If any two are, the
  document is shared by several children of one sex and birth date, and none of them is linked.

The links of every moment are worked out from what was known then, so they are the same in whatever order
files came. Where later knowledge contradicts a link, a second statement withdraws it from that day on. A
delivery that is withdrawn says nothing from then on, and what it had replaced counts again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import duckdb

from jobs import declare
from jobs.lake import persons, tables, window, withdrawals
from jobs.lake.persons import LINKS, SAME_DOCUMENT
from jobs.lake.withdrawals import Withdrawal
from jobs.settings import Settings
from jobs.sql import parquet

# A child may have had two temporary numbers before the lasting one; a document under more is shared.
FEW = 3
# Its rolls and registrations hold the evidence.
FEED = "enrollment"
EVIDENCE = ("pupil_roll", "pupil_registration")
_NEWEST = "stated_on, delivery_no, _file_sha256"


def find_links(settings: Settings) -> int:
    """State which tokens are one pupil, and which no longer are. Returns how many pairs stand today."""
    changes = _changes(settings, {})
    wanted = [_statement(settings, *change) for change in changes]
    standing = [row for row in tables.rows(settings, LINKS) if row["link_reason_code"] == SAME_DOCUMENT]
    key = ("person_token", "linked_person_token", "recorded_at", "is_withdrawn")
    if {tuple(r[k] for k in key) for r in standing} != {tuple(r[k] for k in key) for r in wanted}:
        table = tables.open_table(settings, LINKS)
        if table is not None:
            table.delete(f"link_reason_code = '{SAME_DOCUMENT}'")
        tables.append_rows(settings, LINKS, wanted, f"links/{persons.version(settings)}", "links")
    newest = {(one, other): is_linked for one, other, _, is_linked in changes}
    return sum(newest.values())


def with_rows(settings: Settings, rows: Mapping[str, Callable[[str], str]]) -> list[dict[str, Any]]:
    """All statements of links as they would be with further rows; nothing is written.

    `rows`: of a dataset, the query that takes the place of its table's own, which it is given.
    """
    known = [row for row in tables.rows(settings, LINKS) if row["link_reason_code"] != SAME_DOCUMENT]
    return [*known, *(_statement(settings, *change) for change in _changes(settings, rows))]


def _statement(
    settings: Settings, one: str, other: str, recorded_at: datetime, is_linked: bool
) -> dict[str, Any]:
    return persons.link(settings, one, other, recorded_at) | {"is_withdrawn": not is_linked}


def _changes(
    settings: Settings, rows: Mapping[str, Callable[[str], str]]
) -> list[tuple[str, str, datetime, bool]]:
    """(least token, other token, moment, whether they are one from then on), by pair and moment."""
    rolls, registrations = (_rows(settings, dataset, rows.get(dataset)) for dataset in EVIDENCE)
    if rolls is None:
        return []
    with duckdb.connect() as lake:
        lake.execute("set TimeZone = 'UTC'")
        _make_lines(lake, withdrawals.load(settings).values(), rolls, registrations)
        return lake.execute(_CHANGES).fetchall()


def _rows(settings: Settings, dataset: str, instead: Callable[[str], str] | None) -> str | None:
    """All rows of a dataset's clean table, as what a query reads from; None where nothing was written."""
    table = declare.load()[dataset].table
    found = tables.open_table(settings, table)
    files = tables.files(found)
    if instead is not None:
        return f"({instead(window.written(table, found, files))})"
    return parquet(*files) if files else None


def _make_lines(
    lake: duckdb.DuckDBPyConnection, withdrawn: Iterable[Withdrawal], rolls: str, registrations: str | None
) -> None:
    """`line`: what the rolls and registrations said of each token that shares a document with another, and
    between which moments it was the newest word.
    """
    gone = [(one.delivery_id, one.recorded_at) for one in withdrawn]
    lake.execute("create temp table withdrawn (delivery_id varchar, gone_from timestamptz)")
    if gone:
        lake.executemany("insert into withdrawn values (?, ?)", gone)
    lake.execute(f"""
        create temp table line as
        with {_known(rolls, "scope_key", _NEWEST)}
        select
            case when not list_has_any(
                stated.flags, ['id_document_number:placeholder', 'id_document_number:check_digit']
            ) then document_key end as document_key,
            pupil_key as token, if(pupil_number_kind = 'L', 'temporary', 'lasting') as kind,
            sex_code, birth_date, school_year_start, term,
            row(school_year_start, term, stated_on, delivery_no, _file_sha256, _line_number) as newness,
            known_from, known_until
        from {rolls} as stated
        inner join known on stated.scope_key = known.scope and row({_NEWEST}) = known.newest
        where pupil_key is not null and not is_withdrawn
    """)
    if registrations:
        lake.execute(f"""
            insert into line
            with {_known(registrations, "pupil_key", f"{_NEWEST}, _line_number")}
            select
                pupil_key, pupil_key, 'registered', sex_code, birth_date, null, null,
                row(0, 0, stated_on, delivery_no, _file_sha256, _line_number), known_from, known_until
            from {registrations} as stated
            inner join known
                on stated.pupil_key = known.scope and row({_NEWEST}, _line_number) = known.newest
            where not is_withdrawn
        """)
    lake.execute("""
        delete from line where token not in (
            select unnest(list(distinct token)) from line where document_key is not null
            group by document_key having count(distinct token) > 1
        )
    """)


def _known(rows: str, scope: str, newest: str) -> str:
    """`known`: of each scope the newest word that stood, and from when until when it was known as that."""
    return f"""
        word as (
            select {scope} as scope, row({newest}) as newest,
                min(recorded_at) as told_from, min(gone_from) as gone_from
            from {rows} left join withdrawn on _delivery_id = delivery_id group by all
        ),
        turn as (select distinct scope, unnest([told_from, gone_from]) as moment from word),
        standing as (
            select turn.scope, turn.moment, max(word.newest) as newest
            from turn
            left join word
                on turn.scope = word.scope and word.told_from <= turn.moment
                and turn.moment < coalesce(word.gone_from, 'infinity')
            where turn.moment is not null
            group by all
        ),
        span as (
            select scope, newest, moment as known_from,
                lead(moment) over (partition by scope order by moment) as known_until
            from (
                select *, lag(newest) over (partition by scope order by moment) as before from standing
            )
            where newest is distinct from before
        ),
        known as (select * from span where newest is not null)"""


_CHANGES = f"""
    with holder as (select distinct document_key, token from line where document_key is not null),
    moment as (
        select distinct holder.document_key, unnest([known_from, known_until]) as moment
        from holder inner join line using (token)
    ),
    -- each number under the document as its newest statement then had it
    person as (
        select
            holder.document_key, moment.moment, token, any_value(kind) as kind,
            arg_max(sex_code, newness) as sex_code, arg_max(birth_date, newness) as birth_date,
            list(distinct [school_year_start, term]) filter (term is not null) as terms
        from moment
        inner join holder using (document_key)
        inner join line using (token)
        where moment.moment >= known_from and moment.moment < coalesce(known_until, 'infinity')
        group by all
        having bool_or(line.document_key = holder.document_key)
    ),
    shared as (
        select document_key, moment, any_value(token) filter (kind = 'lasting') as lasting
        from person group by all
        having count(*) filter (kind = 'lasting') = 1 and count(*) filter (kind <> 'registered') <= {FEW}
    ),
    agreeing as (
        select person.*, shared.lasting
        from shared
        inner join person using (document_key, moment)
        inner join person as one
            on one.document_key = shared.document_key and one.moment = shared.moment
            and one.token = shared.lasting
        where person.sex_code = one.sex_code and person.birth_date = one.birth_date
    ),
    several as (
        select document_key, moment from agreeing, unnest(terms) as on_roll(term)
        group by document_key, moment, term having count(*) > 1
        union
        select document_key, moment from agreeing where kind = 'registered'
        group by all having count(*) > 1
    ),
    linked as (
        select document_key, moment, least(token, lasting) as one, greatest(token, lasting) as other
        from agreeing anti join several using (document_key, moment)
        where token <> lasting
    ),
    pair as (select distinct document_key, one, other from linked),
    state as (
        select one, other, moment, bool_or(linked.one is not null) as is_linked
        from pair
        inner join moment using (document_key)
        left join linked using (document_key, moment, one, other)
        where moment.moment is not null
        group by all
    )
    select one, other, moment, is_linked from state
    qualify is_linked <> coalesce(lag(is_linked) over (partition by one, other order by moment), false)
    order by one, other, moment
"""

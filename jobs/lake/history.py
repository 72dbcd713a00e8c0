"""History as SQL: what the lake's statements say at two dates, in words that DuckDB and Spark share.

Two dates are asked about: `as_of_date`, the day on which something held, and `known_at`, the instant up to
which statements count. Clean tables only grow, so what holds is computed, never stored. Each table has four
views:

- `every_statement`: all that was stated by `known_at`, without deliveries that were withdrawn by then.
  `pupil_key` is the person's, whatever was sent.
- `newest_by_scope`: of a snapshot the newest delivery of each scope (a sender's list of a term), whole; of
  everything else the newest statement of each key. All terms stand side by side. A withdrawn statement ends
  its key: an older one does not come back.
- `in_force`: one day. A sender's snapshot ends at the next statistic day of the same sender; a later
  correction of an earlier term ends nothing. Each key counts once.
- `chosen`: as `newest_by_scope`, and where several senders state one key in one term, the row that the
  contract chooses (`among_senders`; with `chosen_whole`, all rows of such a unit from one sender).

The newer of two statements has the greater `stated_on, delivery_no, _file_sha256, _line_number`. Decisions
have no senders: the newest run known at `known_at` stands, whole, in all views but the first. Statements that
are scored (`declare.STATEMENTS_OF`) keep the history of what they score.

The texts below name columns one by one and take both dates from a relation, so that they run unchanged in
both engines; only the engine's names of relations differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from jobs import declare
from jobs.declare import Contract

VIEWS = ("every_statement", "newest_by_scope", "in_force", "chosen")
# Where the relations lie from which the views are made: each table as written, and the two below.
WRITTEN = "lake"
# One row: `as_of_date date, known_at timestamp`.
ASKED = "asked"
# `person_token, pupil_key` of every token whose person has another key (`jobs.lake.persons`).
PERSON = "person"
# Deliveries that are withdrawn as known then (`jobs.lake.withdrawals`).
WITHDRAWN = "withdrawn"

_NEWEST = ("stated_on", "delivery_no", "_file_sha256", "_line_number")
# `3` of the run `2025-11-20.3`; as text, run 10 would come before run 9.
_RUN_NUMBER = "try_cast(split_part(run_id, '.', -1) as integer)"

# How an engine writes the name of a relation, from its view (or WRITTEN) and its table.
Name = Callable[[str, str], str]


def dotted(view: str, table: str) -> str:
    """`in_force.clean_places__birth`, for an engine whose views lie in schemas."""
    return f"{view}.{table}"


def text(view: str, table: str, name: Name = dotted) -> str:
    """The SELECT of one view of a clean or decision table: the table's declared columns, in their order.

    It reads the table as written, the relations ASKED, PERSON and WITHDRAWN, and for all views but the first
    also views that come before it in VIEWS. Raises ContractError for a table nobody declares.
    """
    contract = declare.statements_of(table)
    if view == "every_statement":
        return _every_statement(table, name)
    if contract is None:
        return _of_decisions(table, name)
    is_snapshot = contract.delivery == "snapshot"
    if view == "newest_by_scope":
        return (_newest_delivery if is_snapshot else _newest_statement)(table, contract, name)
    if not is_snapshot:
        return f"select\n    {_listed(declare.table_columns(table))}\nfrom {name('newest_by_scope', table)}"
    if view == "in_force" and contract.period_columns:
        return _on_the_day(table, contract, name)
    return _once_a_key(table, contract, name)


def _every_statement(table: str, name: Name) -> str:
    own = declare.table_columns(table)
    resolved = "coalesce(person.pupil_key, stated.pupil_key) as pupil_key"
    columns = [resolved if column == "pupil_key" else f"stated.{column}" for column in own]
    persons = f"""
left join {name(WRITTEN, PERSON)} as person
    on stated.pupil_key = person.person_token"""
    withdrawn = f"""
left join {name(WRITTEN, WITHDRAWN)} as withdrawn
    on stated._delivery_id = withdrawn.delivery_id"""
    is_delivered = "_delivery_id" in own
    return f"""\
select
    {_listed(columns)}
from {name(WRITTEN, table)} as stated{persons * ("pupil_key" in own)}{withdrawn * is_delivered}
where stated.recorded_at <= {asked("known_at", name)}{_STANDING * is_delivered}"""


_STANDING = "\n    and withdrawn.delivery_id is null"


def _newest_delivery(table: str, _: Contract, name: Name) -> str:
    every = name("every_statement", table)
    # All lines of one file share these, so a delivery stands or falls whole.
    by = ["scope_key", *_NEWEST[:3]]
    return f"""\
with delivery as (
    select
        {_listed(by, 8)},
        row_number() over (partition by scope_key order by {_descending(_NEWEST[:3])}) as recency
    from {every}
    group by {", ".join(by)}
)

select
    {_listed(f"stated.{column}" for column in declare.table_columns(table))}
from {every} as stated
inner join delivery
    on {_equal("stated", "delivery", by)}
where delivery.recency = 1
    and {_stands("stated", name)}"""


def _newest_statement(table: str, contract: Contract, name: Name) -> str:
    own = list(declare.table_columns(table))
    ranked = _ranked(own, contract.key, _descending(_NEWEST), name("every_statement", table))
    return f"""\
select
    {_listed(f"ranked.{column}" for column in own)}
from {ranked}
where ranked.recency = 1
    and {_stands("ranked", name)}"""


def _on_the_day(table: str, contract: Contract, name: Name) -> str:
    own = list(declare.table_columns(table))
    # The day for which a sender's list of a term counts is the day on which its lines begin to hold.
    delivery = ["sender_code", "scope_key", *_NEWEST[:3]]
    until = "least(stated.valid_to, ended.ended_on) as valid_to"
    columns = [until if column == "valid_to" else f"stated.{column}" for column in own]
    standing = f"""(
        select
            {_listed(columns, 12)}
        from {name("newest_by_scope", table)} as stated
        inner join ended
            on {_equal("stated", "ended", ["scope_key"])}
        where ended.ended_on is null or ended.ended_on > {asked("as_of_date", name)}
    ) as standing"""
    return f"""\
with delivery as (
    select
        {_listed(delivery, 8)},
        min(case when not is_withdrawn then valid_from end) as statistic_day,
        row_number() over (partition by scope_key order by {_descending(_NEWEST[:3])}) as recency
    from {name("every_statement", table)}
    group by {", ".join(delivery)}
),

ended as (
    select
        delivery.scope_key,
        min(later.statistic_day) as ended_on
    from delivery
    left join delivery as later
        on delivery.sender_code = later.sender_code
        and delivery.statistic_day < later.statistic_day
        and later.recency = 1
    where delivery.recency = 1
    group by delivery.scope_key
)

select
    {_listed(f"ranked.{column}" for column in own)}
from {_among_senders(own, contract, (), ["valid_from"], standing)}
where ranked.recency = 1"""


def _once_a_key(table: str, contract: Contract, name: Name) -> str:
    own = list(declare.table_columns(table))
    return f"""\
select
    {_listed(f"ranked.{column}" for column in own)}
from {_among_senders(own, contract, contract.period_columns, (), name("newest_by_scope", table))}
where ranked.recency = 1"""


def _among_senders(
    columns: Sequence[str], contract: Contract, period: Sequence[str], before: Sequence[str], source: str
) -> str:
    """Rows with `recency` 1 where the contract chooses them; `before` counts more than what is newer."""
    if not contract.chosen_whole:
        key = list(dict.fromkeys((*contract.key, *period)))
        return _ranked(columns, key, _descending((*before, *_NEWEST)), source)
    unit = list(dict.fromkeys((*contract.chosen_whole, *period)))
    return _ranked(columns, unit, _descending((*before, *_NEWEST[:3])), source, rank="dense_rank")


def _of_decisions(table: str, name: Name) -> str:
    own = list(declare.table_columns(table))
    every = name("every_statement", table)
    history = declare.history_of(table)
    if history.kind == "every":
        return f"select\n    {_listed(own)}\nfrom {every}"
    if history.kind == "last":
        last = f"recorded_at desc nulls last, {_RUN_NUMBER} desc nulls last, run_id desc nulls last"
        return f"""\
select
    {_listed(f"ranked.{column}" for column in own)}
from {_ranked(own, history.key, last, every)}
where ranked.recency = 1"""
    return f"""\
with run as (
    select
        run_id,
        recorded_at,
        row_number() over (
            order by recorded_at desc nulls last, {_RUN_NUMBER} desc nulls last, run_id desc nulls last
        ) as recency
    from {every}
    group by run_id, recorded_at
)

select
    {_listed(f"decision.{column}" for column in own)}
from {every} as decision
inner join run
    on {_equal("decision", "run", ["run_id", "recorded_at"])}
where run.recency = 1"""


def _ranked(
    columns: Sequence[str], key: Sequence[str], order: str, source: str, rank: str = "row_number"
) -> str:
    return f"""(
    select
        {_listed(columns, 8)},
        {rank}() over (
            partition by {", ".join(key)}
            order by {order}
        ) as recency
    from {source}
) as ranked"""


def _stands(alias: str, name: Name) -> str:
    day = asked("as_of_date", name)
    return (
        f"not {alias}.is_withdrawn\n    and {alias}.valid_from <= {day}"
        f"\n    and ({alias}.valid_to is null or {alias}.valid_to > {day})"
    )


def asked(column: str, name: Name = dotted) -> str:
    """One of the two dates, as the views ask for it."""
    return f"(select asked.{column} from {name(WRITTEN, ASKED)} as asked)"


def _equal(left: str, right: str, columns: Sequence[str]) -> str:
    return "\n    and ".join(f"{left}.{column} is not distinct from {right}.{column}" for column in columns)


def _descending(columns: Sequence[str]) -> str:
    return ", ".join(f"{column} desc nulls last" for column in columns)


def _listed(columns: Iterable[str], indent: int = 4) -> str:
    return (",\n" + " " * indent).join(columns)

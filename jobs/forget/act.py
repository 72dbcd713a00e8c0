"""The act of forgetting one pupil, step by step, each of which may be killed and done again.

First the trace is written down in `secrets/` (0600), so that a killed act is finished by the next call. Then
come the tombstones: from there on no run takes the pupil in. Landing goes before tables, so that nothing can
be read again from there; releases come last. What senders typed beside the data (names of files and sheets,
headings) is struck wherever it is kept. The note goes when the proof holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from jobs import clock, declare
from jobs.files import replacing
from jobs.forget import proof, releases, trace
from jobs.forget import tables as rewriting
from jobs.forget.trace import Trace
from jobs.ingest import journal, landed
from jobs.ingest.landed import Place
from jobs.lake import deliveries, forgotten, persons, receipt_text, runs, spare, tables
from jobs.publish import drafts, publication
from jobs.publish import journal as journal_of_releases
from jobs.publish.release import current, numbers, publishing_alone, read
from jobs.settings import Settings, UserError
from jobs.sql import literals, parquet

_KEYS = ("pupil_key", "document_key", "person_token", "linked_person_token")


@dataclass(frozen=True)
class Plan:
    """What an act concerns. `counts`: receipt -> the counts that it has afterwards."""

    trace: Trace
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Proof:
    """What went from where, and where a value of the pupil still stands; of `namesakes` a name alone."""

    went: dict[str, int]
    left: list[Path]
    namesakes: list[Path]


def plan(settings: Settings, number: str) -> Plan:
    """What would go. Of an act that was killed: what it had written down. Raises UserError for a number that
    nobody has, and where files wait to be read.
    """
    if _note(settings).is_file():
        return _noted(settings)
    if len(forgotten.plain(number)) < trace.SHORTEST_NUMBER:
        raise UserError(
            f"`{number}` is no pupil number: it is too short to name one pupil.",
            "Give the whole number as it stands in the files, such as G and eighteen digits.",
        )
    found = trace.find(settings, number)
    if not found.lines and not any(_rows(settings, found).values()):
        raise UserError(
            f"no file, table or release of {settings.site} names this pupil.", "Check the number."
        )
    if any(journal.unfinished(settings, feed) for feed in settings.feeds):
        raise UserError("files are half read.", f"Finish them first: {settings.command('run')}")
    return Plan(found, _counts(settings, found))


def targets(settings: Settings) -> list[str]:
    """Every table that can hold lines or keys of pupils, as the contracts and tables declare them."""
    lines = {"file_sha256", "_file_sha256"}
    declared = {
        name
        for name in declare.all_tables()
        if declare.table_columns(name).keys() & ({*_KEYS} | lines) and name != "ops__receipt"
    }
    raw = {f"raw_{feed}" for feed in settings.feeds}
    return sorted({*declared, *raw, persons.IDENTIFIERS, persons.LINKS} & {*rewriting.written(settings)})


def listed(settings: Settings, planned: Plan) -> dict[str, int]:
    """Target -> lines, rows or files of it that go."""
    found = {f"landing/{d}/{name}": len(places) for (d, name, _), places in planned.trace.lines.items()}
    rows = {table: count for table, count in _rows(settings, planned.trace).items() if count}
    return found | rows | _releases(settings, planned.trace)


def forget(settings: Settings, planned: Plan) -> Proof:
    """Do it, or finish it. Nothing else may work on the site meanwhile."""
    with alone(settings):
        went = listed(settings, planned)
        _write_note(settings, planned)
        forgotten.add(settings, planned.trace.identifiers)
        spare.forget(settings)
        _rewrite_landing(settings, planned.trace)
        strike_typed(settings, planned.trace)
        for table in targets(settings):
            rewriting.rewrite(settings, table, _gone(settings, table, planned.trace))
        _amend_receipts(settings, planned)
        amend_releases(settings, planned.trace)
        remove_derived(settings, planned.trace)
        left, namesakes = _search(settings, planned.trace)
        if not left:
            journal_of_releases.write(settings, 0, journal_of_releases.FORGOTTEN, "")
            _note(settings).unlink()
            spare.keep(settings)
    return Proof(went, left, namesakes)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the site: no run, no task of a feed and no publication at once."""
    with ExitStack() as stack:
        stack.enter_context(runs.only_run(settings))
        for feed in settings.feeds:
            stack.enter_context(journal.feed_lock(settings, feed))
        settings.releases.mkdir(parents=True, exist_ok=True)
        stack.enter_context(publishing_alone(settings.releases))
        yield


# The note of the act


def _note(settings: Settings) -> Path:
    return settings.secrets / "forgetting.json"


def _write_note(settings: Settings, planned: Plan) -> None:
    found = planned.trace
    told: dict[str, Any] = {k: sorted(v) for k, v in vars(found).items() if k != "lines"}
    told["lines"] = [[*key, sorted(places, key=str)] for key, places in found.lines.items()]
    with replacing(_note(settings)) as fresh:
        fresh.write_text(json.dumps({"trace": told, "counts": planned.counts}), encoding="utf-8")


def _noted(settings: Settings) -> Plan:
    told = json.loads(_note(settings).read_text(encoding="utf-8"))
    lines = {(d, n, s): {(t, i) for t, i in places} for d, n, s, places in told["trace"].pop("lines")}
    return Plan(Trace(**{k: set(v) for k, v in told["trace"].items()}, lines=lines), told["counts"])


# Landing, and what was typed beside the data


def _own_files(found: Trace) -> dict[tuple[str, str], set[Place]]:
    """(delivery, hash of what was sent) -> the pupil's places; empty where only a heading or a name tells."""
    own: dict[tuple[str, str], set[Place]] = {}
    for (delivery, _, sha), places in found.lines.items():
        own.setdefault((delivery, sha), set()).update(places)
    return own


def _words(found: Trace, *, is_own: bool) -> set[str]:
    """What is struck from a file's words; the name alone may be another pupil's, in another file."""
    return found.numbers | found.documents | (found.names if is_own else set())


def _rewrite_landing(settings: Settings, found: Trace) -> None:
    own, values = _own_files(found), _values(found)
    for file in deliveries.scan(settings):
        places = own.get((file.delivery_id, file.sha256))
        words = _words(found, is_own=places is not None)
        if places is not None and proof.holds(file.path, values):
            (opened,) = landed.open_files(settings, [file])
            landed.write_again(settings, file, opened, landed.Change(gone=places, words=words))
        landed.rename(settings, file, words)
    deliveries.scan(settings)  # the hashes are kept by path


def strike_typed(settings: Settings, found: Trace) -> None:
    """Strike the pupil from the text of all receipts and from the names of sheets beside raw lines."""
    own = _own_files(found)
    files = {f.receipt_id: f for f in deliveries.scan(settings)}

    def change(row: dict[str, Any]) -> dict[str, Any]:
        file = files.get(row["receipt_id"])
        words = _words(found, is_own=file is not None and (file.delivery_id, file.sha256) in own)
        fresh = {name: _struck(value, words) for name, value in row.items()}
        return fresh | {
            "receipt_id": row["receipt_id"],
            "file_name": file.name if file else fresh["file_name"],
        }

    rewriting.rewrite_rows(settings, receipt_text.TABLE, change)
    of_files = f"_file_sha256 in ({literals(*(sha for _, sha in own))})"
    for feed in settings.feeds:
        changed = []
        for column in ("_member", "_sheet"):
            there = rewriting.distinct(settings, f"raw_{feed}", column, of_files) if own else []
            fresh = {old: forgotten.struck(old, _words(found, is_own=True)) for old in there}
            whens = [f"when {literals(o)} then {literals(n)}" for o, n in fresh.items() if o != n]
            if whens:
                changed.append(
                    f"if({of_files}, case {column} {' '.join(whens)} else {column} end, {column}) as {column}"
                )
        if changed:
            rewriting.rewrite(settings, f"raw_{feed}", "false", f"* replace ({', '.join(changed)})")


def _struck(value: Any, words: Collection[str]) -> Any:
    if isinstance(value, list):
        return [_struck(item, words) for item in value]
    return forgotten.struck(value, words) if isinstance(value, str) else value


# Tables


def _gone(settings: Settings, table: str, found: Trace) -> str:
    """The condition of the pupil's rows of a table: by place in a file, or by token."""
    files = rewriting.columns(settings, table)
    by = []
    for prefix in ("_", ""):
        table_number = "_table" if prefix else "table_number"
        place = [f"{prefix}delivery_id", f"{prefix}file_sha256", table_number, f"{prefix}line_number"]
        if not {*place} <= files:
            continue
        listed = [
            f"{delivery}|{sha}|{number}|{line}"
            for (delivery, _, sha), places in found.lines.items()
            for number, line in places
        ]
        if listed:
            by.append(f"concat_ws('|', {', '.join(place)}) in ({literals(*listed)})")
    return " or ".join([*by, of_tokens(settings, table, found.tokens)])


def of_tokens(settings: Settings, table: str, tokens: Collection[str]) -> str:
    """The condition of the rows of a table with one of these tokens."""
    files = rewriting.columns(settings, table)
    by = [f"{key} in ({literals(*tokens)})" for key in _KEYS if key in files and tokens]
    return " or ".join(by) or "false"


def _rows(settings: Settings, found: Trace) -> dict[str, int]:
    return {
        table: rewriting.count(settings, table, _gone(settings, table, found)) for table in targets(settings)
    }


def _counts(settings: Settings, found: Trace) -> dict[str, dict[str, int]]:
    """Receipt -> its counts without the lines that go."""
    by_file = {(delivery, sha): places for (delivery, _, sha), places in found.lines.items()}
    counts = {}
    for row in tables.rows(settings, "ops__receipt"):
        places = by_file.get((row["delivery_id"], row["file_sha256"]), set())
        if not places or not row["dataset"] or not row["line_count"]:
            continue
        contract = declare.load()[row["dataset"]]
        went = {
            "accepted_count": len(_standing(settings, contract.table, "_", row, places)),
            "refused_count": len(_standing(settings, "ops__refused_row", "", row, places)),
        }
        if row["outcome"] != "accepted":
            went["accepted_count"] = len(places) - went["refused_count"]
        flagged = _standing(settings, contract.table, "_", row, places, "len(flags) > 0")
        flagged |= _standing(settings, "ops__flagged_row", "", row, places)
        went |= {"line_count": len(places), "flagged_count": len(flagged)}
        counts[row["receipt_id"]] = {name: row[name] - number for name, number in went.items()}
    return counts


def _standing(
    settings: Settings,
    table: str,
    prefix: str,
    receipt: dict[str, Any],
    places: Collection[Any],
    more: str = "true",
) -> set[Any]:
    """Which of these places of a file have a row in the table."""
    files = tables.files(tables.open_table(settings, table))
    if not files:
        return set()
    rows = duckdb.execute(
        f"select distinct {'_table' if prefix else 'table_number'}, {prefix}line_number"
        f" from {parquet(*files)}"
        f" where {prefix}delivery_id = ? and {prefix}file_sha256 = ? and {more}",
        [receipt["delivery_id"], receipt["file_sha256"]],
    ).fetchall()
    return {*rows} & {*places}


def _amend_receipts(settings: Settings, planned: Plan) -> None:
    changed = [
        f"case receipt_id {' '.join(f'when {literals(i)} then {c[name]}' for i, c in planned.counts.items())}"
        f" else {name} end as {name}"
        for name in ("line_count", "accepted_count", "refused_count", "flagged_count")
    ]
    if planned.counts:
        rewriting.rewrite(settings, "ops__receipt", "false", f"* replace ({', '.join(changed)})")


# Releases and what else was made


def _releases(settings: Settings, found: Trace) -> dict[str, int]:
    kept = numbers(settings.releases) if settings.releases.is_dir() else []
    counted = {
        f"releases/{number}": releases.count(read(settings.releases / str(number)), found.tokens)
        for number in kept
    }
    return {name: rows for name, rows in counted.items() if rows}


def amend_releases(settings: Settings, found: Trace, because: str = "forgotten") -> None:
    """Take the pupil's rows out of the kept releases; the manifests say why. A draft goes: the next run makes
    another.
    """
    drafts.remove(settings)
    pointed = current(settings)
    for number in numbers(settings.releases):
        kept = read(settings.releases / str(number))
        releases.amend(kept, found.tokens, clock.today(settings.timezone), because)
        if pointed is not None and number == pointed.number:
            publication.point(settings.releases, read(settings.releases / str(number)))


def remove_derived(settings: Settings, found: Trace) -> None:
    """Remove what is made from the lake and can be made again, where it tells of the pupil."""
    values = _values(found)
    own = {f.receipt_id for f in deliveries.scan(settings) if (f.delivery_id, f.sha256) in _own_files(found)}
    for report in sorted((settings.restricted / "reports").rglob("*.*")):
        if report.stem.split("_")[0] in own or proof.holds(report, values):
            report.unlink()
    made = (settings.restricted / name for name in ("builds", "stage", "damaged"))
    for root in (*made, settings.home, settings.run):
        for path in sorted(root.rglob("*")):
            is_kept = any(
                path.is_relative_to(kept)
                for kept in (settings.landing, settings.lake, settings.releases, settings.secrets)
                if root == settings.home
            )
            if path.is_file() and not is_kept and proof.holds(path, values):
                _strike(path, values)


def _strike(path: Path, values: Collection[str]) -> None:
    """Remove the lines of a text that hold a value; a file that is no text goes whole."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except UnicodeDecodeError:
        path.unlink()
        return
    with replacing(path) as fresh:
        fresh.write_text("".join(x for x in lines if not any(v in x for v in values)), encoding="utf-8")


# Proof


def _values(found: Trace) -> set[str]:
    """What may stand nowhere: numbers, documents and tokens; a name may be another pupil's too."""
    words = found.numbers | found.documents
    return words | {word.lower() for word in words} | found.tokens


def _search(settings: Settings, found: Trace) -> tuple[list[Path], list[Path]]:
    return proof.places(settings, _values(found), found.names, {_note(settings)})

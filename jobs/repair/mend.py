"""Mend what a check finds: from the second copy, from raw, else from landing; and say what cannot be mended.

Each step leaves a state that the next check tells, so a repair that was killed is done again. What is damaged
goes to `restricted/damaged`, and nothing is deleted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable

from jobs.files import replacing, sha256
from jobs.forget import act
from jobs.ingest import reopening
from jobs.lake import deliveries, spare, tables
from jobs.lake.spare import LOG
from jobs.repair import check, mend_releases, mend_rows
from jobs.repair.finding import Finding, Say, ignore
from jobs.settings import DamagedError, Settings

# Each round mends what the one before made visible: logs, then files, then rows.
_ROUNDS = 8


@dataclass(frozen=True)
class Mended:
    """What a repair has done, in words, and what is still wrong."""

    done: list[str]
    left: list[Finding]


def repair(settings: Settings, *, say: Say = ignore) -> Mended:
    """Mend all that can be mended. Nothing else may work on the site meanwhile."""
    done: list[str] = []

    def tell(text: str) -> None:
        done.append(text)
        say(text)

    with act.alone(settings):
        found = check.wrong(check.examine(settings))
        if not found:
            return Mended(done, found)
        before: list[Finding] | None = None
        for _ in range(_ROUNDS):
            if not found or found == before:
                break
            _first_stage(settings, found, tell)
            # All bytes are read twice alone: before anything is done, and when all is.
            before, found = found, check.wrong(check.examine(settings, quick=True))
        if all(one.mend in ("find", "renew") for one in found):
            _keep(settings)
        found = check.wrong(check.examine(settings))
    return Mended(done, found)


def _first_stage(settings: Settings, found: Sequence[Finding], tell: Say) -> None:
    """Do the first kind of work that there is; what comes later may look different then."""
    for stage in _STAGES:
        if any([stage(settings, found, tell)]):
            return


def _keep(settings: Settings) -> None:
    try:
        spare.known(settings)
    except DamagedError:
        _aside(settings, tables.spare(settings) / "known.json")
    spare.keep(settings)


def _aside(settings: Settings, path: Path) -> None:
    """Move a damaged file or folder to where damaged ones are kept."""
    if not path.exists():
        return
    root = settings.restricted / "damaged"
    root.mkdir(parents=True, exist_ok=True)
    number = 1 + sum(1 for _ in root.iterdir())
    shutil.move(path, root / f"{number:04d}-{path.name}")


# Stages: each does what it can and tells whether there was anything.


def _copies(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Copy back what the second copy has whole."""
    known = None
    for one in found:
        if one.mend != "copy":
            continue
        known = known or spare.known(settings)
        for name in _names_below(one, known):
            copy, target = spare.copy_of(settings, name), spare.place(settings, name)
            if not copy.is_file() or sha256(copy) != known[name].sha256:
                # A copy that is damaged too is none.
                copy.unlink(missing_ok=True)
                tell(f"{name}: its second copy is damaged as well")
                continue
            if target.is_file() and sha256(target) == known[name].sha256:
                continue
            _aside(settings, target)
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target, 0o400 if name.startswith("releases/") else 0o600) as fresh:
                shutil.copyfile(copy, fresh)
            tell(f"{name}: copied back")
    return known is not None


def _names_below(one: Finding, known: dict[str, spare.Known]) -> list[str]:
    """The files that a finding names: one, or all of a log."""
    if one.place in known:
        return [one.place]
    below = [name for name in known if name.startswith(f"{one.place}/")]
    log = one.place.rpartition(f"/{LOG}/")[0]
    return below or [name for name in known if log and name.startswith(f"{log}/{LOG}/")]


def _hints(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Remove what only points at a part of a log."""
    hints = [one for one in found if one.mend == "remove"]
    for one in hints:
        _aside(settings, spare.place(settings, one.place))
        tell(f"{one.place}: set aside; the log does without")
    return bool(hints)


def _logs(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Set tables aside whose log is lost; their rows are made again, where landing has them."""
    lost = {one.subject for one in found if one.mend in ("remake", "lose") and LOG in one.place}
    for table in sorted(lost):
        where = spare.written(settings).get(table, tables.path(settings, table))
        _aside(settings, where)
        # No copy of a log stands for a table that begins anew.
        relative = f"lake/{where.relative_to(settings.lake)}"
        spare.drop(settings, relative)
        how = "its rows are made again" if spare.is_remade(table) else "what it held is lost"
        tell(f"{relative}: its log cannot be rebuilt, and the table is set aside; {how}")
    return bool(lost)


def _files(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Take damaged files out of their tables; the rows that go with them are made again afterwards."""
    bad = [
        one
        for one in found
        if one.place.startswith("lake/") and one.wrong in ("missing", "changed", "size", "unreadable")
        if one.mend in ("reread", "remake", "rescore", "lose")
    ]
    for table in sorted({one.subject for one in bad}):
        own = [one for one in bad if one.subject == table]
        for one in own:
            _aside(settings, spare.place(settings, one.place))
            spare.drop(settings, one.place)
        DeltaTable(str(spare.written(settings)[table])).repair()
        lost = "; what was written to it since the last run is lost" * (own[0].mend == "lose")
        tell(f"{table}: {len(own)} damaged files taken out{lost}")
    return bool(bad)


def _rows(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Make rows again: raw from landing, clean from raw, scores from clean, in this order."""
    for mend in ("reread", "remake", "rescore"):
        short = {one.subject for one in found if one.wrong == "short" and one.mend == mend}
        made = [mend_rows.write_back(settings, table, tell) for table in sorted(short)]
        if any(made):
            return True
    return False


def _again(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Take out rows that no receipt, or a wrong one, stands for: their files wait for the next run."""
    wanted = [one for one in found if one.mend == "again"]
    for one in wanted:
        if one.wrong == "unreadable":
            _aside(settings, Path(one.subject))
            tell(f"{one.place}: set aside")
    strays = mend_rows.without_receipt(settings) if any(one.wrong == "stray" for one in wanted) else []
    summed = {one.subject for one in wanted if one.wrong == "sum"}
    strays += [row for row in tables.rows(settings, "ops__receipt") if row["receipt_id"] in summed]
    for row in strays:
        reopening.reopen(settings, row["feed"], [row], f"repair {row.get('batch_id')}")
        tell(f"{row['delivery_id']}: its rows are taken out; `./edulake run` reads it again")
    return bool(wanted)


def _releases(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    return mend_releases.mend(settings, found, lambda path: _aside(settings, path), tell)


def _notes(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Write notes anew that steer the names of batches, and records of published runs."""
    wanted = [one for one in found if one.mend == "renew" and one.place.startswith(("run/", "releases/"))]
    for one in wanted:
        if one.wrong == "unknown_run":
            mend_releases.record_run(settings, one.subject)
        else:
            _renew_times(settings, Path(one.subject))
        tell(f"{one.place}: written anew")
    return bool(wanted)


# So often no file was taken again: batches get names that none had before.
_MORE_THAN_EVER = 1_000_000


def _renew_times(settings: Settings, file: Path) -> None:
    feed = file.parent.name
    receipts = tables.rows(settings, "ops__receipt", ["receipt_id", "feed"])
    known = {row["receipt_id"]: _MORE_THAN_EVER for row in receipts if row["feed"] == feed}
    _aside(settings, file)
    with replacing(file) as fresh:
        fresh.write_text(json.dumps(known, sort_keys=True), encoding="utf-8")


def _landing(settings: Settings, found: Sequence[Finding], tell: Say) -> bool:
    """Put back landed files whose bytes lie elsewhere in landing; changed ones go aside in any case."""
    wanted = {one.subject: one for one in found if one.mend == "find"}
    if not wanted:
        return False
    rows = [row for row in mend_rows.receipts(settings) if row["receipt_id"] in wanted]
    same = {file.sha256: file.path for file in deliveries.scan(settings)}
    did = False
    for row in rows:
        target = deliveries.located(settings, row["delivery_id"], row["file_name"])
        did |= target.exists()
        _aside(settings, target)
        source = same.get(row["file_sha256"])
        if source and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with replacing(target) as fresh:
                shutil.copyfile(source, fresh)
            tell(f"{wanted[row['receipt_id']].place}: put back from {source.relative_to(settings.landing)}")
            did = True
    return did


_STAGES: tuple[Callable[[Settings, Sequence[Finding], Say], bool], ...] = (
    *(_copies, _hints, _logs, _files, _landing, _rows, _again, _releases, _notes),
)

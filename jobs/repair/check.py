"""Verify a site: every table, landed file, release and note against all that is known of it. Read-only."""

from __future__ import annotations

from jobs.lake import spare
from jobs.repair import delta, others, rows
from jobs.repair.finding import Finding, Say, ignore
from jobs.settings import DamagedError, Settings


def examine(settings: Settings, *, quick: bool = False, say: Say = ignore) -> list[Finding]:
    """Return all that is wrong, sorted by file. `quick` looks at names, sizes and counts, and reads no bytes.

    One pass over the bytes; `say` is told what is looked at.
    """
    found: list[Finding] = []
    try:
        known = spare.known(settings)
    except DamagedError:
        known = {}
        found.append(Finding("lake/restricted/spare/known.json", "unreadable", "renew"))
    if not known and not found:
        say(
            "no second copy yet: the end of the next run makes it; until then bytes are compared with nothing"
        )
    say(f"tables: {len(spare.written(settings))}")
    tables = delta.examine(settings, known, quick=quick)
    found += tables.findings
    if "ops__receipt" in tables.unsound:
        say("receipts cannot be read: rows and landing are compared once they are mended")
    else:
        say("rows against receipts")
        found += rows.examine(settings, tables.unsound)
        if "receipt_text" not in tables.unsound:
            say("landing against receipts")
            found += others.landing(settings, quick=quick)
    say("releases")
    found += others.releases(settings, known, quick=quick)
    found += others.notes(settings)
    return sorted(set(found))


def wrong(found: list[Finding]) -> list[Finding]:
    """Those that are no mere notes."""
    return [one for one in found if not one.is_note]

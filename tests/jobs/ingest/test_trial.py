"""The verdict without a run is the receipt that a run writes: of each file of a finished lake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jobs import declare
from jobs.declare import examples, reasons
from jobs.ingest import journal, raw, trial
from jobs.ingest.relations import findings_of
from jobs.ingest.trial import Trial
from jobs.lake import deliveries, forgotten, receipt_text, tables
from jobs.lake.deliveries import LandedFile
from jobs.settings import Settings

# Of a run alone: which one it was, what it took.
_OF_RUN = {"run_id", "batch_id", "duration_ms", "recorded_at"}
Lines = set[tuple[Any, ...]]


def landed(settings: Settings) -> dict[str, list[LandedFile]]:
    found = defaultdict(list)
    for file in deliveries.scan(settings):
        found[file.delivery_id].append(file)
    return found


def judged(settings: Settings, files: list[LandedFile]) -> list[Trial]:
    first = files[0]
    told = {"feed": first.feed, "delivery_no": first.delivery_no}
    return trial.judge(settings, [f.path for f in files], first.sender, first.received, **told)  # type: ignore[arg-type]


def lines_of(settings: Settings, table: str, delivery: str, file: str, why: list[str]) -> dict[Any, Lines]:
    """Of each file (delivery, hash), its lines in a table with their reasons."""
    found: dict[Any, Lines] = defaultdict(set)
    dataset = tables.open_arrow(settings, table)
    if dataset is None:
        return found
    place = ["_table", "_line_number"] if delivery.startswith("_") else ["table_number", "line_number"]
    rows = dataset.to_table(columns=[delivery, file, *place, *why])
    if why == ["flags"]:
        rows = rows.filter(pc.greater(pc.list_value_length(rows["flags"]), 0))
    for row in rows.to_pylist():
        values = (tuple(v) if isinstance(v, list) else v for v in (row[name] for name in (*place, *why)))
        found[row[delivery], row[file]].add(tuple(values))
    return found


def told(rows: pa.Table, why: list[str]) -> Lines:
    names = ["table_number", "line_number", *why]
    return {
        tuple(tuple(v) if isinstance(v, list) else v for v in (row[name] for name in names))
        for row in rows.to_pylist()
    }


def _plain(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(str(sorted((k, str(v)) for k, v in row.items() if k not in _OF_RUN)) for row in rows)


def differences(settings: Settings, sample: Iterable[list[LandedFile]]) -> tuple[int, list[str]]:
    """How many files were judged again, and what is said of any of them that its receipt does not say."""
    known = {row["receipt_id"]: row for row in receipt_text.receipts(settings)}
    refused = lines_of(settings, "ops__refused_row", "delivery_id", "file_sha256", ["column_name", "rule"])
    flagged = lines_of(settings, "ops__flagged_row", "delivery_id", "file_sha256", ["flags"])
    for contract in declare.load().values():
        flagged |= lines_of(settings, contract.table, "_delivery_id", "_file_sha256", ["flags"])
    found, count = [], 0
    for files in sample:
        for file, one in zip(files, judged(settings, files), strict=True):
            receipt, key = known[file.receipt_id], (file.delivery_id, file.sha256)
            count += 1
            found += [
                f"{file.delivery_id}/{file.name} {name}: {receipt[name]} <> {one.receipt[name]}"
                for name in receipt.keys() - _OF_RUN
                if receipt[name] != one.receipt[name]
            ]
            if one.receipt["outcome"] not in ("accepted", "held"):
                continue
            for kind, theirs, ours in zip(
                ("findings", "rates"), findings_of(settings, receipt), (one.findings, one.rates), strict=True
            ):
                if _plain(theirs) != _plain(ours):
                    found.append(f"{file.delivery_id}/{file.name}: {kind}")
            if refused[key] != told(one.refused, ["column_name", "rule"]):
                found.append(f"{file.delivery_id}/{file.name}: refused lines")
            if flagged[key] != told(one.flagged, ["flags"]):
                found.append(f"{file.delivery_id}/{file.name}: flagged lines")
    return count, found


def test_a_file_of_each_kind_is_judged_as_its_receipt_says(lake: Settings) -> None:
    """One delivery of each outcome, the smallest of each feed."""
    outcomes = {row["receipt_id"]: row["outcome"] for row in receipt_text.receipts(lake, ["outcome"])}
    smallest: dict[Any, list[LandedFile]] = {}
    for files in sorted(landed(lake).values(), key=lambda own: sum(file.byte_count for file in own)):
        for kind in (files[0].feed, *(outcomes[file.receipt_id] for file in files)):
            smallest.setdefault(kind, files)
    assert {"accepted", "held", "refused", *lake.feeds} <= smallest.keys()
    sample = {files[0].delivery_id: files for files in smallest.values()}
    count, found = differences(lake, sample.values())
    assert count >= len(sample)
    assert found == []


@pytest.mark.slow
def test_every_file_is_judged_as_its_receipt_says(lake: Settings) -> None:
    deliveries_of = landed(lake)
    count, found = differences(lake, deliveries_of.values())
    assert count == sum(map(len, deliveries_of.values()))
    assert found == []


def births(folder: Path, year: int, name: str = "births.csv", *, bad: bool = False) -> Path:
    header = [column.headings[0] for column in declare.load()["birth"].columns]
    values = {"unit_code": "东城区", "birth_year": str(year), "birth_count": "many" if bad else "4321"}
    line = [values.get(column.name, "") for column in declare.load()["birth"].columns]
    file = folder / name
    file.write_text("\n".join(",".join(cells) for cells in (header, line)) + "\n", encoding="utf-8")
    return file


def test_without_a_lake_the_rules_that_need_one_are_named(settings: Settings, tmp_path: Path) -> None:
    before = sorted(settings.home.rglob("*"))
    file = births(tmp_path, 2024)
    (one,) = trial.judge(settings, [file], None, date(2025, 3, 1), offline=True, keep=tmp_path / "kept")
    assert (one.feed, one.receipt["outcome"], one.receipt["accepted_count"]) == (
        "place_demand",
        "accepted",
        1,
    )
    asked = [rule.name for rule in one.unchecked]
    assert {"repeated", "period_locked"} <= {*asked}
    assert {*reasons.asked_of_lake()} >= {"repeated", "period_locked", "rows_fell", "school_not_registered"}
    assert one.lines
    assert one.lines.is_file()
    assert sorted(settings.home.rglob("*")) == before


def test_a_stranger_a_wrong_line_and_a_file_of_no_dataset(settings: Settings, tmp_path: Path) -> None:
    bad, other = births(tmp_path, 2024, bad=True), tmp_path / "notes.txt"
    other.write_text("nothing of ours\n", encoding="utf-8")
    (stranger,) = trial.judge(settings, [bad], "nobody", date(2025, 3, 1))
    assert stranger.receipt["outcome"] == "refused"
    assert reasons.code_of(stranger.receipt["reasons"][0]) == "sender_unknown"
    assert stranger.receipt["container"] is None
    held, unknown = trial.judge(settings, [bad, other], "110000", date(2025, 3, 1))
    assert (held.receipt["outcome"], held.refused.num_rows) == ("held", 1)
    assert held.refused["rule"].to_pylist() == ["type"]
    assert (unknown.feed, unknown.receipt["outcome"]) == (None, "refused")


def test_lines_of_a_forgotten_pupil_are_taken_out_as_in_a_run(settings: Settings, tmp_path: Path) -> None:
    contract = declare.load()["pupil_roll"]
    rows = examples.example_rows(contract, 3, after=examples.IN_TEMPLATE)
    lines = [
        [c.headings[0] for c in contract.columns],
        *([row[c.name] for c in contract.columns] for row in rows),
    ]
    file = tmp_path / "名册.csv"
    file.write_text("\n".join(",".join(cells) for cells in lines) + "\n", encoding="utf-8")
    forgotten.add(settings, [(contract.identity or "", rows[1][contract.identity or ""])])
    day = date(2025, 9, 20)
    (one,) = trial.judge(settings, [file], "110101", day)
    deliveries.land(settings, file, "enrollment", "110101", day)
    raw.write_raw(settings, "2025-09-20.1", "enrollment")
    ((batch,), ours) = journal.unfinished(settings, "enrollment"), one.receipt
    (note,) = batch.files
    assert (note.receipt_id, note.line_count) == (ours["receipt_id"], ours["line_count"])
    assert note.line_count == 2
    assert [reasons.code_of(remark) for remark in ours["remarks"]][:1] == ["forgotten_lines"]
    assert [*note.remarks] == [remark for remark in ours["remarks"] if "forgotten" in remark]


def test_what_waits_counts(settings: Settings, tmp_path: Path) -> None:
    """The same bytes handed in twice before a run: the second is the repetition that its receipt will say."""
    file = births(tmp_path, 2024)
    (first,) = trial.judge(settings, [file], "110000", date(2025, 3, 1))
    assert first.receipt["outcome"] == "accepted"
    (again,) = trial.judge(settings, [file], "110000", date(2025, 3, 1), delivery_no=2, waiting=[first.filed])
    assert again.receipt["outcome"] == "repeated"

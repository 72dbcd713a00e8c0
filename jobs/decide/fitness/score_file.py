"""Score a CSV file row by row, in chunks: memory stays bounded however long the file is."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from io import BufferedReader
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import yaml

from jobs.cells import Writer
from jobs.decide.fitness import score as core
from jobs.decide.fitness import score_columns
from jobs.decide.fitness.standard import DEFAULTS, ScoringOptions
from jobs.files import OUTPUT_MODE, parse_yaml
from jobs.settings import UserError, writing

CHUNK_ROWS = 50_000
# The one reason that only a file knows, beside those of `score.explain`.
TOO_MANY_CELLS = "too_many_cells"

Progress = Callable[[int], None]  # bytes read so far


@dataclass
class Tally:
    """How many rows have each status and reason, and how many have points in some item."""

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    with_points: int = 0

    def faults(self) -> Counter[str]:
        """What is wrong, and in which column: `unknown:grade_code` -> rows."""
        found: Counter[str] = Counter()
        for reason, rows in self.reasons.items():
            for part in reason.split("; "):
                label, _, columns = part.partition(":")
                for column in columns.split(",") if columns else [""]:
                    found[f"{label}:{column}" if column else label] += rows
        return found


def score_file(
    source: Path, target: Path, settings: ScoringOptions = DEFAULTS, progress: Progress = lambda _: None
) -> Tally:
    """Write the rows of `source` with their scores to `target`, in order; returns what became of them.

    In: UTF-8 with a header. Columns may come in any order; unknown ones are copied. A column that the scores
    have too is replaced in its place. Blank lines are skipped. Out: the same rows with `score.OUTPUT_SCHEMA`
    added; a copied text that a spreadsheet would run is guarded. The file is written whole or not at all.
    Raises UserError with file, line and column where the file itself cannot be read or written.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(
            f"{target}: input and output are the same file.", "Give --output another name; the input is kept."
        )
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _reading(source) as raw, writing(target, of_lake=False), _creating(part, target) as out:
            tally = _score_rows(source, raw, out, settings, progress)
            out.flush()
            os.fsync(out.fileno())
        part.chmod(OUTPUT_MODE)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return tally


def read_settings(path: Path) -> ScoringOptions:
    """Read from a YAML file what the standard leaves open. Raises UserError for unknown names and values."""
    known = ", ".join(field.name for field in fields(ScoringOptions))
    way_out = f"Known settings: {known}; docs/decisions/fitness-scoring.md says what each may be."
    try:
        given = parse_yaml(path.read_text(encoding="utf-8")) or {}
        if not isinstance(given, dict):
            raise ValueError("it holds no settings: write one a line, `name: value`")
        settings = ScoringOptions(**given)
        core.check_settings(settings)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8.", way_out) from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}.", way_out) from error
    except (TypeError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {error}.", way_out) from error
    return settings


def _reading(source: Path) -> BufferedReader:
    try:
        return source.open("rb")
    except OSError as error:
        raise UserError(
            f"{source}: cannot be read: {error.strerror}.", "Check the name given to --input."
        ) from error


def _creating(part: Path, target: Path) -> IO[str]:
    if target.is_dir():
        raise UserError(f"{target}: is a folder.", "Give --output the name of a file.")
    try:
        return part.open("w", encoding="utf-8", newline="")
    except FileNotFoundError as error:
        raise UserError(
            f"{target.parent}: no such folder.", "Make it first, or give --output another place."
        ) from error


def _score_rows(
    source: Path, raw: BufferedReader, out: IO[str], settings: ScoringOptions, progress: Progress
) -> Tally:
    tally = Tally()
    has_mark = raw.peek(3).startswith(b"\xef\xbb\xbf")
    lines = _lines(source, raw)
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        places = _check_header(source, header)
        if has_mark:
            out.write("\ufeff")  # a spreadsheet that wrote the mark needs it to read the result
        added = [name for name in core.OUTPUT_SCHEMA.names if name not in header]
        writer = Writer(out)
        writer.line([*header, *added])
        for rows, broken in _chunks(reader, len(header)):
            _score_chunk((header, places), rows, broken, settings, tally, writer, added)
            progress(raw.tell())
    except csv.Error as error:
        raise UserError(
            f"{source}, line {reader.line_num}: is no CSV: {error}.",
            'Close every quote, and write a quote inside a value twice ("").',
        ) from error
    return tally


def _lines(source: Path, raw: BufferedReader) -> Iterator[str]:
    """Text lines. Each is decoded by itself, so that an error can name the line that is not UTF-8."""
    for number, line in enumerate(raw, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{source}, line {number}: is not UTF-8.",
                "Save the file as “CSV UTF-8”, or convert it: iconv -f GB18030 -t UTF-8 in.csv > out.csv",
            ) from error


def _check_header(source: Path, header: list[str]) -> dict[str, int]:
    """Where each input of the scores stands. Raises UserError."""
    where = f"{source}, line 1"
    if not any(header):
        raise UserError(f"{source}: is empty.", "The first line names the columns.")
    places = score_columns.places(header)
    missing = [name for name in ("grade_code", "sex_code") if name not in places]
    if missing:
        raise UserError(
            f"{where}: column {' and '.join(missing)} is missing.",
            "Name the columns in the first line, separated by commas: "
            f"pupil_id,grade_code,sex_code,{','.join(core.MEASURE_COLUMNS)}",
        )
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise UserError(f"{where}: column {twice[0]} stands there twice.", "Keep one of the two.")
    if not places.keys() & set(core.MEASURE_COLUMNS):
        raise UserError(
            f"{where}: no column holds a result.", f"Known columns: {', '.join(core.MEASURE_COLUMNS)}"
        )
    return places


def _chunks(reader: Iterator[list[str]], width: int) -> Iterator[tuple[list[list[str]], list[int]]]:
    """Rows of exactly `width` cells, and which of them had more: their cells may be in wrong columns."""
    rows: list[list[str]] = []
    broken: list[int] = []
    for row in reader:
        if not row:
            continue
        if len(row) != width:
            if any(row[width:]):
                broken.append(len(rows))
            row = [*row[:width], *[""] * (width - len(row))]
        rows.append(row)
        if len(rows) == CHUNK_ROWS:
            yield rows, broken
            rows, broken = [], []
    if rows:
        yield rows, broken


def _score_chunk(
    columns_at: tuple[list[str], dict[str, int]],
    rows: list[list[str]],
    broken: list[int],
    settings: ScoringOptions,
    tally: Tally,
    writer: Writer,
    added: list[str],
) -> None:
    header, places = columns_at
    columns = list(zip(*rows, strict=True))
    known = {name: score_columns.as_scored(name, columns[at]) for name, at in places.items()}
    scored = core.score(
        pa.table({name: pa.array(cells, pa.string()) for name, cells in known.items()}), settings
    )
    out = {name: scored.column(name).cast(pa.string()).to_pylist() for name in scored.schema.names}
    for at in broken:
        for cells in out.values():
            cells[at] = None
        out["status"][at], out["status_reason"][at] = "invalid", TOO_MANY_CELLS
    tally.statuses.update(out["status"])
    tally.reasons.update(filter(None, out["status_reason"]))
    points = [scored.column(name) for name in scored.schema.names if name.startswith("points_")]
    has_points = np.logical_or.reduce([each.is_valid().to_numpy(zero_copy_only=False) for each in points])
    has_points[broken] = False
    tally.with_points += int(has_points.sum())
    replaced = [(header.index(name), out[name]) for name in out if name in header]
    for at, cells in replaced:
        for row, cell in zip(rows, cells, strict=True):
            row[at] = cell
    writer.copies([*row, *new] for row, *new in zip(rows, *(out[name] for name in added), strict=True))

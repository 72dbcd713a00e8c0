"""`fitness score` from file to file."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from jobs.cli.fitness import app
from jobs.decide.fitness import score_file
from jobs.decide.fitness.score import ITEM_CODES
from jobs.decide.fitness.standard import ScoringOptions
from jobs.settings import UserError

HEADER = (
    "pupil_id,grade_code,sex_code,height_cm,weight_kg,vital_capacity_ml,run_50m_s,sit_and_reach_cm,"
    "rope_skip_1min_count,sit_up_1min_count,standing_long_jump_cm,pull_up_count,shuttle_run_50x8_s,run_1000m_s,"
    "run_800m_s"
)
BOY = "b,21,1,160,50.0,3640,7.8,17.6,,,225,14,,231,"
GIRL = "g,16,2,,,2500,9.1,14.0,150,46,,,96,,"


def score(folder: Path, content: str | bytes, *options: str) -> Result:
    source = folder / "rows.csv"
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    target = str(folder / "scored.csv")
    arguments = ["score", "--input", str(source), "--output", target, *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def output(folder: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    with (folder / "scored.csv").open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


def test_a_file_is_scored_as_the_issue_says(tmp_path: Path) -> None:
    result = score(tmp_path, f"{HEADER}\n{BOY}\n{GIRL}\n")
    assert result.exit_code == 0
    boy, girl = output(tmp_path)
    assert list(boy)[: HEADER.count(",") + 1] == HEADER.split(",")
    added = ["bmi", *(f"points_{code}" for code in ITEM_CODES), *(f"bonus_{code}" for code in ITEM_CODES)]
    totals = ["standard_score", "bonus_total", "total_score", "level", "status"]
    assert list(boy)[HEADER.count(",") + 1 :] == [*added, *totals, "status_reason", "standard_version"]
    assert (boy["bmi"], boy["weight_kg"], boy["points_pull_up"], boy["bonus_pull_up"]) == (
        "19.5",
        "50.0",
        "100",
        "1",
    )
    assert [boy[name] for name in totals] == ["100.0", "2", "102.0", "优秀", "scored"]
    assert boy["bonus_run_50m"] == "0"
    assert (boy["points_run_800m"], boy["bonus_run_800m"]) == ("", "")
    assert [girl[name] for name in totals] == ["", "", "", "", "incomplete"]
    assert (girl["status_reason"], girl["points_rope_skip_1min"]) == ("missing:bmi", "85")


def test_columns_come_in_any_order_and_others_are_passed_on(tmp_path: Path) -> None:
    score(tmp_path, 'note,bmi,sex_code,grade_code\n"说 ""a"", b",18.146,1,11\n,18.15,1,11\n')
    first, second = output(tmp_path)
    assert (first["note"], first["bmi"], first["points_bmi"]) == ('说 "a", b', "18.1", "100")
    assert (second["bmi"], second["points_bmi"]) == ("18.2", "80")
    assert list(first)[:4] == ["note", "bmi", "sex_code", "grade_code"]


def test_a_copied_text_that_a_spreadsheet_would_run_is_guarded_and_a_number_stays_one(tmp_path: Path) -> None:
    head = "pupil_id,=note,grade_code,sex_code,height_cm,weight_kg,sit_and_reach_cm,change"
    score(
        tmp_path, f"{head}\n-2+3+cmd|' /C calc'!A0,＝1,21,1,160,50,-5.2,-0.3\n@x,\u200b=1,21,1,160,50,1,+1\n"
    )
    first, second = output(tmp_path)
    assert (first["pupil_id"], first["'=note"]) == ("'-2+3+cmd|' /C calc'!A0", "'＝1")
    assert (second["pupil_id"], second["'=note"]) == ("'@x", "'\u200b=1")
    assert (first["sit_and_reach_cm"], first["change"], second["change"]) == ("-5.2", "-0.3", "+1")
    once = (tmp_path / "scored.csv").read_bytes()
    score(tmp_path, once)
    assert (tmp_path / "scored.csv").read_bytes() == once


def test_scoring_a_scored_file_again_changes_nothing(tmp_path: Path) -> None:
    score(tmp_path, f"{HEADER}\n{BOY}\n{GIRL}\n")
    once = (tmp_path / "scored.csv").read_bytes()
    score(tmp_path, once)
    assert (tmp_path / "scored.csv").read_bytes() == once


def test_every_row_gives_a_row_in_order_over_many_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_file, "CHUNK_ROWS", 7)
    bad = ["x,99,1", "y,21,1,tall", ",,", "z,21,1,160,50,1,2,3,4,5,6,7,8,9,10,more"]
    rows = [line for n in range(25) for line in (f"p{n},11,2", *bad)]
    result = score(tmp_path, "\n".join([HEADER, *rows, BOY, ""]))
    assert result.exit_code == 0
    assert "points in 1 of 126 rows" in result.output
    assert "unknown:grade_code 25" in result.output
    found = output(tmp_path)[:-1]
    assert [row["pupil_id"] for row in found] == [row.split(",")[0] for row in rows]
    assert [row["status"] for row in found[:5]] == ["missing", "invalid", "invalid", "invalid", "invalid"]
    assert found[4]["status_reason"] == "too_many_cells"
    assert found[4]["points_pull_up"] == ""


def test_a_long_file_is_held_one_chunk_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_file, "CHUNK_ROWS", 100)
    scored: list[int] = []
    core = score_file.core.score

    def counting(rows: pa.Table, settings: ScoringOptions) -> pa.Table:
        scored.append(rows.num_rows)
        return core(rows, settings)

    monkeypatch.setattr(score_file.core, "score", counting)
    source = tmp_path / "long.csv"
    source.write_text("\n".join([HEADER, *[BOY] * 6_000, ""]), encoding="utf-8")
    read: list[int] = []
    score_file.score_file(source, tmp_path / "scored.csv", progress=read.append)
    assert scored == [100] * 60
    # Read as it is scored: when the first chunk is done, most of the file has not been touched.
    assert read[0] < source.stat().st_size / 4
    assert read == sorted(read)


def test_mark_blank_lines_and_carriage_returns_are_no_trouble(tmp_path: Path) -> None:
    text = f"\ufeff{HEADER}\r\n\r\n{BOY},,\r\n\r\n"
    score(tmp_path, text.encode())
    (boy,) = output(tmp_path, "utf-8-sig")
    assert (boy["pupil_id"], boy["total_score"]) == ("b", "102.0")
    assert (tmp_path / "scored.csv").read_bytes().startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize("grade", ["21", "J1", "初一", "七年级", "初中一年级", "Grade 7", "21.0"])
@pytest.mark.parametrize("sex", ["1", "男", "M"])
def test_grade_and_sex_may_be_written_as_in_our_tables(tmp_path: Path, grade: str, sex: str) -> None:
    score(tmp_path, f"{HEADER}\n{BOY.replace('b,21,1,', f'b,{grade},{sex},')}\n")
    (boy,) = output(tmp_path)
    assert (boy["total_score"], boy["status"], boy["grade_code"]) == ("102.0", "scored", grade)


@pytest.mark.parametrize(
    "head",
    [
        HEADER.replace("grade_code", "grade_key"),
        HEADER.replace("grade_code", "fitness_grade_code"),
        "姓名,年级编号,性别,身高,体重,肺活量,50米跑,坐位体前屈,一分钟跳绳,一分钟仰卧起坐,立定跳远,引体向上,"
        "50米×8往返跑,1000米跑,800米跑",
    ],
)
def test_columns_may_be_headed_as_in_our_tables_and_templates(tmp_path: Path, head: str) -> None:
    score(tmp_path, f"{head}\n{BOY}\n")
    (boy,) = output(tmp_path)
    assert (boy["total_score"], list(boy)[:15]) == ("102.0", head.split(","))


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("x,9,1,160,50\ny,10,2,160,50\n", "unknown:grade_code 2"),
        ("x,21,0,160,50\n", "unknown:sex_code 1"),
        ("x,21,1,,\n", "missing"),
        ("", "no rows"),
    ],
)
def test_a_file_of_which_nothing_is_scored_is_an_error_that_says_why(
    tmp_path: Path, rows: str, why: str
) -> None:
    with pytest.raises(UserError, match="rows was scored") as raised:
        score(tmp_path, f"id,grade_code,sex_code,height_cm,weight_kg\n{rows}")
    assert why in raised.value.message
    assert "P1–S3" in raised.value.way_out
    assert len(output(tmp_path)) == rows.count("\n")


def test_open_points_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "open.yaml").write_text("missing_item: zero\ngrade_columns: {51: 31}\n", encoding="utf-8")
    score(tmp_path, f"{HEADER}\n{GIRL}\n", "--settings", str(tmp_path / "open.yaml"))
    (girl,) = output(tmp_path)
    assert (girl["total_score"], girl["status"]) == ("75.1", "incomplete")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("pupil_id;grade_code;sex_code\n", "line 1: column grade_code and sex_code is missing"),
        ("grade_code,sex_code,name\n", "no column holds a result"),
        (f"{HEADER},run_50m_s\n", "line 1: column run_50m_s stands there twice"),
        (f"{HEADER}\n{BOY}\n".encode() + "李,21\n".encode("gb18030"), "line 3: is not UTF-8"),
        (f'{HEADER}\n{BOY}\n"b,21,1\n', "line 3: is no CSV"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(UserError, match=message) as raised:
        score(tmp_path, content)
    assert "rows.csv" in raised.value.message
    assert raised.value.way_out
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"], "half a file was left behind"


def test_places_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text(f"{HEADER}\n", encoding="utf-8")
    for source_path, target, message in [
        (tmp_path / "none.csv", tmp_path / "out.csv", "cannot be read"),
        (source, tmp_path / "none" / "out.csv", "no such folder"),
        (source, tmp_path, "is a folder"),
        (source, source, "the same file"),
    ]:
        with pytest.raises(UserError, match=message):
            score_file.score_file(source_path, target)


@pytest.mark.parametrize(
    "text", ["missing_items: zero", "run_50m: sideways", "grade_columns: {51: 99}", "- 1", "a: ["]
)
def test_unknown_settings_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "open.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"open\.yaml"):
        score_file.read_settings(path)


def test_help_names_every_status() -> None:
    shown = CliRunner().invoke(app, ["score", "--help"]).output
    for word in (
        "--input",
        "--output",
        "scored",
        "retest",
        "incomplete",
        "missing",
        "exempt",
        "deferred",
        "invalid",
    ):
        assert word in shown

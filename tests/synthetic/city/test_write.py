"""The written city as a receiver sees it: files, senders, days, shapes, and the truth kept out of it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from jobs import declare
from jobs.reading import reader
from jobs.settings import FEEDS, ROOT, UserError
from synthetic.city.faults import KINDS
from synthetic.city.figures import districts
from synthetic.city.write import CitySummary, write_city

City = tuple[Path, CitySummary]
CODES = {d.code for d in districts()}


def digest(folder: Path) -> str:
    """One hash over every path and its bytes."""
    whole = hashlib.sha256()
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    assert files, f"nothing was written to {folder}"
    for file in files:
        whole.update(str(file.relative_to(folder)).encode())
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def csv_rows(file: Path) -> list[dict[str, str]]:
    """Lines of a text file by heading; of an .xls that is no workbook too."""
    data = file.read_bytes()
    encoding = {b"\xef\xbb": "utf-8-sig", b"\xff\xfe": "utf-16"}.get(data[:2], "gb18030")
    text = data.decode(encoding)
    delimiter = "\t" if "\t" in text[:200] else ","
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    return [{heading: cell.lstrip("'") for heading, cell in row.items()} for row in rows]


def lines_of(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines of any file by heading, with their numbers."""
    reading = reader.read(file, declare.datasets_of(file.parts[-4]))
    return [(n, dict(zip(reading.header, cells, strict=False))) for n, cells in reading.lines]


def test_same_seed_gives_same_bytes_in_another_process(city: City, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from synthetic.city.write import write_city; "
        f"write_city(Path({str(tmp_path / 'landing')!r}), 0.002, 7)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert digest(tmp_path / "landing") == digest(city[0])
    assert digest(tmp_path / "truth") == digest(city[0].parent / "truth")


def test_another_seed_gives_another_city(city: City, tmp_path: Path) -> None:
    write_city(tmp_path / "landing", 0.002, 8)
    assert digest(tmp_path / "landing") != digest(city[0])


def test_every_file_is_recognized_by_its_contract(city: City) -> None:
    datasets: Counter[str] = Counter()
    files = sorted(city[0].glob("*/*/*/*"))
    assert len(files) == city[1].files
    for file in files:
        feed = file.relative_to(city[0]).parts[0]
        reading = reader.read(file, declare.datasets_of(feed))
        assert reading.contract is not None, f"{file}: {reading.reasons}"
        assert reading.lines, f"{file} has no data lines"
        unknown = {declare.heading_key(h) for h in reading.header if h} - {
            declare.heading_key(heading) for c in reading.contract.columns for heading in c.headings
        }
        unknown -= {declare.heading_key(h.split("@")[0]) for h in reading.contract.left_in_raw}
        # By what relations read it as: `撤销` withdraws a line's key.
        unknown -= {"操作"}
        assert not unknown, f"{file}: headings that no column has: {unknown}"
        datasets[reading.contract.dataset] += 1
    assert {contract.feed for contract in declare.load().values() if contract.dataset in datasets} == set(
        FEEDS
    )
    assert len(datasets) >= 18


def test_each_district_sends_each_of_its_datasets(city: City) -> None:
    for feed in ("enrollment", "campus_safety", "district_statistics", "resources"):
        assert {p.name for p in (city[0] / feed).iterdir()} >= CODES
    assert {p.name for p in (city[0] / "place_demand").iterdir()} == CODES | {"110000"}


def test_fitness_senders_are_the_schools_with_pupils(city: City) -> None:
    senders = {p.name for p in (city[0] / "physical_fitness").iterdir()}
    registered = set()
    for file in city[0].glob("enrollment/*/2025-09-10_1/学校名录*"):
        reading = reader.read(file, declare.datasets_of("enrollment"))
        code, closed = (reading.positions[name] for name in ("school_code", "closed_date"))
        registered |= {cells[code] for _, cells in reading.lines if not any(cells[closed : closed + 1])}
    assert senders - {"110000"} == {code for code in registered if not code.startswith("11")}


def test_some_schools_still_write_old_workbooks(city: City) -> None:
    endings = Counter(file.suffix for file in city[0].glob("physical_fitness/*/*/*"))
    assert 0 < endings[".xls"] < endings[".xlsx"]


def test_deliveries_are_days_up_to_the_newest(city: City) -> None:
    days = {date.fromisoformat(p.name[:10]) for p in city[0].glob("*/*/*")}
    assert max(days) == date(2025, 11, 20)
    assert city[1].newest_delivery == "2025-11-20"


def test_no_half_written_file_is_left(city: City) -> None:
    assert not [p for p in city[0].rglob("*") if p.name.startswith(".") or p.name.endswith(".part")]


def test_rolls_hold_the_pupils_that_the_returns_count(faultless: City) -> None:
    jyt = {r["code"]: r["jyt_code"] for r in declare.code_list("grade").rows}
    by_word = {r["meaning_zh"]: r["code"] for r in declare.code_list("grade").rows}
    for year in (2024, 2025):
        counted: Counter[tuple[str, str]] = Counter()
        for file in faultless[0].glob(f"enrollment/*/{year}-09-25_1/*"):
            for _, row in lines_of(file):
                grade = jyt[by_word.get(row["年级"], row["年级"])]
                if grade:
                    counted[row["学校标识码"], grade] += int(row["在校生数"])
        named: Counter[tuple[str, str]] = Counter()
        for file in faultless[0].glob(f"enrollment/*/{year}-09-20_1/*"):
            for row in csv_rows(file):
                named[row["学校标识码"], row["年级"]] += 1
        assert counted == named
        assert counted.total() == faultless[1].pupils[year]


def test_rolls_are_gb18030_and_hold_rare_characters(city: City, faultless: City) -> None:
    files = sorted(faultless[0].glob("enrollment/*/*/在籍学生名册_*.csv"))
    assert len(files) == 16 * 3
    texts = [file.read_bytes().decode("gb18030") for file in files]
    assert any("䶮" in text for text in texts), "no character that needs four bytes"


def test_rolls_in_other_dress_are_read_all_the_same(city: City) -> None:
    with (city[0].parent / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        noted = {row["kind"]: city[0] / row["file"] for row in csv.DictReader(lines)}
    utf16, text = noted["roll_other_encoding"], noted["roll_text_as_workbook"]
    assert utf16.read_bytes()[:2] == b"\xff\xfe"
    assert text.suffix == ".xls"
    assert b"\t'G99" in text.read_bytes() or b"\t'99" in text.read_bytes()
    for file in (utf16, text):
        reading = reader.read(file, declare.datasets_of("enrollment"))
        assert reading.contract is not None
        assert reading.contract.dataset == "pupil_roll"
        assert len(reading.lines) > 30


def test_a_late_roll_comes_after_its_day_and_a_corrected_one_after_the_first(city: City) -> None:
    with (city[0].parent / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        noted = {row["kind"]: row["file"] for row in csv.DictReader(lines)}
    day = noted["roll_late"].split("/")[2][:10]
    assert "2025-10-01" < day < "2025-11-20"
    corrected = city[0] / noted["roll_corrected"]
    first = next(p for p in corrected.parent.parent.glob("*/在籍学生名册_2025-2026-1.*"))
    assert first.parent.name < corrected.parent.name
    was = {row["身份证件号"]: row["班级"] for row in csv_rows(first)}
    now = {row["身份证件号"]: row["班级"] for row in csv_rows(corrected)}
    assert set(was) == set(now)


def test_some_results_are_taken_back(city: City) -> None:
    with (city[0].parent / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        noted = [row for row in csv.DictReader(lines) if row["kind"] == "result_withdrawn"]
    assert noted
    for file in {row["file"] for row in noted}:
        reading = reader.read(city[0] / file, declare.datasets_of("physical_fitness"))
        assert "操作" in reading.header
        assert {cells[reading.header.index("操作")] for _, cells in reading.lines} == {"撤销"}


def test_truth_lies_aside_and_counts_what_was_hidden(city: City) -> None:
    landing, summary = city
    told = json.loads((landing.parent / "truth" / "summary.json").read_text(encoding="utf-8"))
    assert told["outbreaks"] == summary.outbreaks >= 6
    of_files = {name for name, kind in KINDS.items() if kind.unit in ("line", "file")}
    of_senders = {name for name, kind in KINDS.items() if kind.unit == "sender"}
    assert set(told["faults"]) >= of_files | of_senders, "a kind of fault was not made"
    with (landing.parent / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        noted = list(csv.DictReader(lines))
    with (landing.parent / "truth" / "fabrications.csv").open(encoding="utf-8") as lines:
        made_up = list(csv.DictReader(lines))
    assert {row["kind"] for row in noted} == of_files
    with (landing.parent / "truth" / "reporting.csv").open(encoding="utf-8") as lines:
        never = [row for row in csv.DictReader(lines) if row["kind"] in of_senders]
    assert Counter(row["kind"] for row in [*noted, *made_up, *never]) == told["faults"]
    assert all((landing / row["file"]).is_file() for row in noted)
    assert not [p for p in landing.rglob("*") if "truth" in p.name or "outbreak" in p.name]


def test_noted_lines_are_the_damaged_ones(city: City) -> None:
    landing = city[0]
    with (landing.parent / "truth" / "faults.csv").open(encoding="utf-8") as lines:
        noted = {row["kind"]: row for row in csv.DictReader(lines)}
    unmapped = noted["roll_unmapped_sex"]
    assert csv_rows(landing / unmapped["file"])[int(unmapped["line"]) - 2]["性别"] == "7"
    letters = noted["return_letters_in_count"]
    assert dict(lines_of(landing / letters["file"]))[int(letters["line"])]["在校生数"].endswith("O")
    height = noted["result_height_in_metres"]
    read = reader.read(landing / height["file"], declare.datasets_of("physical_fitness"))
    cells = dict(read.lines)[int(height["line"])]
    assert 0.9 < float(cells[read.positions["height_cm"]]) < 2.1


def test_one_pupil_stands_on_two_rolls(city: City) -> None:
    for year in (2024, 2025):
        numbers: Counter[str] = Counter()
        for district in CODES:
            file = next(city[0].glob(f"enrollment/{district}/{year}-*/在籍学生名册_{year}-{year + 1}-1.*"))
            numbers.update({unicodedata.normalize("NFKC", row["学籍号"]) for row in csv_rows(file)})
        doubled = [n for n in numbers.values() if n > 1]
        assert doubled == ([2] if year == 2025 else [])


def test_the_resend_has_the_same_bytes(city: City) -> None:
    for note in [
        line.split(",")[1]
        for line in (city[0].parent / "truth" / "faults.csv").read_text(encoding="utf-8").splitlines()
        if line.startswith(("result_sent_again,", "roll_sent_again,"))
    ]:
        again = city[0] / note
        earlier = [p for p in again.parent.parent.glob(f"*/{again.name}") if p != again]
        assert any(p.read_bytes() == again.read_bytes() for p in earlier)


def test_no_two_deliveries_are_the_same_bytes_by_chance(faultless: City) -> None:
    """The same bytes are one delivery: a roll that equals the last term's would be missing in the lake."""
    # Registers of schools and their halls may stay as they were: the same state, told twice.
    files = [p for p in faultless[0].glob("*/*/*/*") if not p.name.startswith(("学校名录", "共享场馆设施"))]
    seen: dict[str, Path] = {}
    for file in files:
        earlier = seen.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
        assert earlier == file, f"{file} and {earlier} are equal"
    assert len(seen) > 300


def test_files_of_strangers_are_told_and_look_like_any_other(city: City) -> None:
    with (city[0].parent / "truth" / "refused_files.csv").open(encoding="utf-8") as lines:
        told = {row["file"]: row for row in csv.DictReader(lines)}
    found = {
        str(file.relative_to(city[0]))
        for file in city[0].glob("*/*/*/*")
        if file.parts[-3] not in CODES | {"110000"} and file.parts[-4] in ("resources", "place_demand")
    }
    assert found == {file for file, row in told.items() if row["outcome"] == "refused"}
    for file, row in told.items():
        assert row["sender_code"] == file.split("/")[1]
        reading = reader.read(city[0] / file, declare.datasets_of(file.split("/")[0]))
        assert reading.contract is not None
        assert (reading.contract.dataset, bool(reading.lines)) == (row["dataset"], True)


def test_without_faults_nothing_is_noted(faultless: City) -> None:
    assert faultless[1].faults == {}
    for name in ("refused_files", "reporting", "unlisted_resources"):
        assert len((faultless[0].parent / "truth" / f"{name}.csv").read_text("utf-8").splitlines()) == 1
    numbers: Counter[str] = Counter()
    for file in faultless[0].glob("enrollment/*/2025-09-20_1/在籍*"):
        numbers.update(row["学籍号"] for row in csv_rows(file))
    assert max(numbers.values()) == 1
    assert not list(faultless[0].glob("physical_fitness/*/*_2"))


def test_progress_names_each_file(tmp_path: Path) -> None:
    seen: list[str] = []
    summary = write_city(tmp_path / "out", 0.001, 1, (2025, 2025), on_progress=seen.append)
    assert len(seen) == summary.files
    assert "enrollment/110101/学校名录_2025.csv" in seen


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"scale": 0.0}, "scale"),
        ({"scale": 30.0}, "scale"),
        ({"years": (2025, 2024)}, "years"),
        ({"years": (2012, 2013)}, "years"),
        ({"faults": "many"}, "faults"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_arguments_are_refused(tmp_path: Path, arguments: dict[str, object], says: str) -> None:
    wanted: dict[str, object] = {"scale": 0.002, "seed": 7, **arguments}
    with pytest.raises(UserError, match=says):
        write_city(tmp_path / "out", **wanted)  # type: ignore[arg-type]


def test_truth_inside_the_landing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="truth"):
        write_city(tmp_path / "out", 0.002, 7, truth=tmp_path / "out" / "truth")
    assert not (tmp_path / "out").exists()


def test_another_city_is_not_written_over_the_first(tmp_path: Path) -> None:
    write_city(tmp_path / "out", 0.001, 1, (2025, 2025))
    before = digest(tmp_path)
    with pytest.raises(UserError, match="another city"):
        write_city(tmp_path / "out", 0.001, 2, (2025, 2025))
    write_city(tmp_path / "out", 0.001, 1, (2025, 2025))
    assert digest(tmp_path) == before


def test_all_years_of_the_calendar_can_be_written(tmp_path: Path) -> None:
    summary = write_city(tmp_path / "out", 0.001, 1, (2019, 2025))
    assert sorted(summary.pupils) == list(range(2019, 2026))
    names = {p.name for p in (tmp_path / "out" / "enrollment" / "110108").glob("*/在籍*")}
    assert len(names) == 13, "both terms of six years, the first of the seventh"
    assert "在籍学生名册_2021-2022-2.csv" in names


def test_truth_knows_the_persons_behind_two_numbers_or_lines(city: City) -> None:
    with (city[0].parent / "truth" / "identities.csv").open(encoding="utf-8") as lines:
        told = list(csv.DictReader(lines))
    assert {row["kind"] for row in told} == {"double_roll", "temporary_number"}
    on_roll: dict[tuple[str, str, str], set[str]] = {}
    for file in city[0].glob("enrollment/*/*/在籍*"):
        year, _, term = file.stem.removeprefix("在籍学生名册_").removesuffix("_更正").split("-")
        key = file.parts[-3], year, term
        on_roll.setdefault(key, set()).update(
            unicodedata.normalize("NFKC", row["学籍号"]) for row in csv_rows(file)
        )
    doubles = [row for row in told if row["kind"] == "double_roll"]
    for row in doubles:
        assert row["district_code"] != row["other_district_code"]
        for district in (row["district_code"], row["other_district_code"]):
            assert row["pupil_number"] in on_roll[district, row["school_year_start"], row["term"]]
    temporary = {row["pupil_number"] for row in told if row["kind"] == "temporary_number"}
    written = {n for numbers in on_roll.values() for n in numbers if n.startswith("L")}
    assert temporary == written
    everybody = set().union(*on_roll.values())
    later = [row for row in told if row["kind"] == "temporary_number" and row["school_year_start"] == "2024"]
    assert not later or {row["other_pupil_number"] for row in later} & everybody


def test_truth_knows_the_enrollment_to_come(city: City) -> None:
    with (city[0].parent / "truth" / "future_enrollment.csv").open(encoding="utf-8") as lines:
        told = list(csv.DictReader(lines))
    sums: Counter[tuple[str, str, str]] = Counter()
    for row in told:
        sums[row["level"], row["school_year_start"], row["grade_key"]] += int(row["pupil_count"])
    keys = {(year, grade) for _, year, grade in sums}
    assert len(keys) == 6 * 15
    for year, grade in keys:
        assert sums["city", year, grade] == sums["district", year, grade] == sums["school", year, grade]

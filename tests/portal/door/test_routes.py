"""Handing in: what is taken, by whom, what is said of it, and that it lies in landing once."""

from __future__ import annotations

import io
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openpyxl
import pytest

from jobs import declare
from jobs.lake import deliveries, withdrawals
from jobs.replies.marked_copy import FILLS
from jobs.replies.report import REFUSED
from jobs.settings import Settings
from portal.door.judging import judged_folder, unwritten
from portal.door.store import Store
from synthetic.city.old_workbook import old_workbook
from synthetic.city.workbook import Table

from .conftest import DISTRICT, OFFICE, OTHER, SCHOOL, Client

HEAD = "学校标识码,区,学年,年级,在校生数"


def returns(pupils: str = "20", schools: int = 5) -> bytes:
    lines = [f"{2111000000 + n},{DISTRICT},2024,P1,{pupils}" for n in range(schools)]
    return ("\n".join([HEAD, *lines]) + "\n").encode()


def landed(settings: Settings) -> list[str]:
    return [f"{file.delivery_id}/{file.name}" for file in deliveries.scan(settings)]


def test_from_a_file_to_its_verdict_and_the_mended_file(door: Client, settings: Settings) -> None:
    bad = returns() + f"2111000009,{DISTRICT},2024,P9,x\n".encode()
    asked = door.hand_in(("年级.csv", bad))
    assert asked.status_code == 202, asked.text
    made = asked.json()
    assert asked.headers["location"] == f"/api/v1/deliveries/{made['id']}"
    (file,) = made["files"]
    assert landed(settings) == [f"{file['delivery_id']}/年级.csv"]
    assert (made["sender_code"], made["who"], file["dataset"]) == (DISTRICT, "东城经办人", "grade_return")

    told = door.verdict(made["id"])["files"][0]
    verdict = told["verdict"]
    assert (verdict["code"], verdict["zh"]) == ("partly_refused", "部分退回")
    assert (verdict["line_count"], verdict["accepted_count"], verdict["refused_count"]) == (6, 5, 1)
    assert told["receipt_id"] == verdict["receipt_id"] == deliveries.scan(settings)[0].receipt_id
    assert [(p["line"], p["column"]) for p in verdict["problems"]] == [(7, "年级"), (7, "在校生数")]
    assert told["final"] is None

    marked = door.get(told["reports"]["marked.xlsx"])
    assert "attachment" in marked.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(marked.content))
    assert any("x" in [cell.value for cell in row] for sheet in book for row in sheet.iter_rows())
    assert b"<html" in door.get(told["reports"]["report.html"]).content
    assert openpyxl.load_workbook(io.BytesIO(door.get(told["reports"]["report.xlsx"]).content))

    mended = door.hand_in(("年级.csv", returns(schools=6))).json()
    assert door.verdict(mended["id"])["files"][0]["verdict"]["code"] == "accepted"
    history = door.get("/api/v1/deliveries").json()["deliveries"]
    assert [one["id"] for one in history] == [mended["id"], made["id"]]


def test_a_verdict_waits_for_no_report(
    door: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for a report that the queue has not written yet has it written; the queue writes the rest."""
    bad = returns() + f"2111000009,{DISTRICT},2024,P9,x\n".encode()
    with monkeypatch.context() as held:
        held.setattr(Store, "next_unwritten", lambda _: None)
        made = door.hand_in(("a.csv", bad), ("b.csv", bad.replace(b"P1", b"P2"))).json()
        first, second = door.verdict(made["id"])["files"]
        folder = judged_folder(settings.home / "door", made["id"])
        assert first["verdict"]["is_marked"]
        assert not [*folder.glob("*.xlsx")]
        for kind in ("marked.xlsx", "report.xlsx"):
            assert openpyxl.load_workbook(io.BytesIO(door.get(first["reports"][kind]).content))
        assert sorted(path.name for path in folder.glob("*.xlsx")) == ["1.xlsx", "1_marked.xlsx"]
    ends = time.monotonic() + 60
    while not (folder / "2_marked.xlsx").is_file() or unwritten(folder, 2).exists():
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert b"<html" in door.get(second["reports"]["report.html"]).content
    # What the reports were made of, cells among it, is gone.
    assert [*folder.glob("**/*.parquet")] == []


def test_the_same_files_are_one_delivery_however_they_are_sent(door: Client, settings: Settings) -> None:
    with ThreadPoolExecutor(4) as threads:
        asked = list(threads.map(lambda _: door.hand_in(("a.csv", returns())), range(4)))
    assert sorted(one.status_code for one in asked) == [200, 200, 200, 202]
    assert len({one.json()["id"] for one in asked}) == 1
    again = door.hand_in(("a.csv", returns()), headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["is_repeated"]) == (200, True)
    other = door.hand_in(("b.csv", returns("21")), headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:edulake:problem:key-used")
    assert len(landed(settings)) == 1


def test_files_of_one_dataset_are_one_delivery(door: Client, settings: Settings) -> None:
    made = door.hand_in(("a.csv", returns()), ("a.csv", returns("21")), ("b.csv", returns("22"))).json()
    assert [file["name"] for file in made["files"]] == ["a.csv", "a~2.csv", "b.csv"]
    assert len({file["delivery_id"] for file in made["files"]}) == 1
    assert len(landed(settings)) == 3


def test_a_workbook_of_several_datasets_is_taken_in_parts(door: Client, settings: Settings) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for dataset in ("grade_return", "school_change", "illness_report"):
        contract = declare.load()[dataset]
        sheet = book.create_sheet(contract.zh)
        sheet.append([column.headings[0] for column in contract.columns])
        sheet.append(["1"] * len(contract.columns))
    data = io.BytesIO()
    book.save(data)
    made = door.hand_in(("合并.xlsx", data.getvalue())).json()
    assert [file["dataset"] for file in made["files"]] == ["grade_return", "school_change", "illness_report"]
    assert len({file["delivery_id"] for file in made["files"]}) == 2, "a delivery a feed"
    assert landed(settings) == sorted(f"{file['delivery_id']}/{file['name']}" for file in made["files"])
    for file in door.verdict(made["id"])["files"]:
        assert (file["verdict"]["dataset"], file["verdict"]["line_count"]) == (file["dataset"], 1)


def mended(marked: bytes, sheet: str, wrong: str, right: str) -> tuple[bytes, list[int]]:
    """A marked copy with one value put right, and the rows in which that value stood, marked."""
    book = openpyxl.load_workbook(io.BytesIO(marked))
    found = [cell for row in book[sheet].iter_rows() for cell in row if cell.value == wrong]
    rows = [cell.row for cell in found if cell.fill.fgColor.rgb.endswith(FILLS[REFUSED])]
    for cell in found:
        cell.value = right
    data = io.BytesIO()
    book.save(data)
    return data.getvalue(), rows


def test_the_marked_copy_of_an_old_workbook_is_mended_and_taken(door: Client) -> None:
    lines = [line.split(",") for line in returns().decode().splitlines()]
    lines[3][4] = "很多"
    made = door.hand_in(("年级.xls", old_workbook([Table("年级", lines[0], lines[1:])]))).json()
    file = door.verdict(made["id"])["files"][0]
    assert file["verdict"]["code"] == "partly_refused"
    marked = door.get(file["reports"]["marked.xlsx"]).content
    again, rows = mended(marked, "年级", "很多", "21")
    assert rows == [4]
    second = door.hand_in(("年级（更正）.xlsx", again)).json()
    told = door.verdict(second["id"])["files"][0]["verdict"]
    assert (told["code"], told["line_count"]) == ("accepted", 5)


def test_the_marked_copy_of_a_part_is_mended_and_taken(door: Client) -> None:
    """Of a workbook with several datasets each part has a copy of its own."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    sheet = book.create_sheet("年级数据")
    for number, line in enumerate(returns().decode().splitlines()):
        sheet.append([*line.split(",")[:4], "很多" if number == 3 else line.split(",")[4]])
    contract = declare.load()["school_change"]
    other = book.create_sheet(contract.zh)
    other.append([column.headings[0] for column in contract.columns])
    other.append(["1"] * len(contract.columns))
    data = io.BytesIO()
    book.save(data)
    made = door.hand_in(("合并.xlsx", data.getvalue())).json()
    files = {file["dataset"]: file for file in door.verdict(made["id"])["files"]}
    assert {*files} == {"grade_return", "school_change"}
    file = files["grade_return"]
    assert file["verdict"]["code"] == "partly_refused"
    again, rows = mended(door.get(file["reports"]["marked.xlsx"]).content, "年级数据", "很多", "21")
    assert rows == [4]
    second = door.hand_in((file["name"], again)).json()
    (told,) = door.verdict(second["id"])["files"]
    assert (told["dataset"], told["verdict"]["code"]) == ("grade_return", "accepted")


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("IMG_0001.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 100, "no_table"),
        ("scan.pdf", b"%PDF-1.7 x", "no_table"),
        ("empty.csv", b"", "file_empty"),
        ("bomb.zip", zipped(a=b"0" * (600 * 1024**2)), "unpacked_too_large"),
        ("letter.csv", "您好\n请查收附件\n".encode(), "header_unknown"),
    ],
    ids=["photo", "pdf", "empty", "bomb", "letter"],
)
def test_what_nobody_can_take_is_refused_at_the_door(
    door: Client, settings: Settings, name: str, data: bytes, code: str
) -> None:
    asked = door.hand_in((name, data), ("good.csv", returns()))
    assert asked.status_code == 202
    refused, good = asked.json()["files"]
    assert (refused["state"], refused["verdict"]["zh"]) == ("refused", "整份退回")
    assert [one["code"] for one in refused["verdict"]["reasons"]] == [code]
    assert refused["verdict"]["reasons"][0]["zh"]
    assert refused["reports"] == {}
    assert landed(settings) == [f"{good['delivery_id']}/good.csv"]

    alone = door.hand_in((name, data))
    assert (alone.status_code, alone.headers["content-type"]) == (422, "application/problem+json")
    receipt = alone.json()["delivery"]
    assert door.told(receipt["id"])["state"] == "refused"
    assert len(landed(settings)) == 1
    kept = [path for path in (settings.home / "door").rglob("*") if path.is_file() and path.stat().st_size]
    assert {path.name.split(".")[0] for path in kept} - {"1", "2"} == {"door"}


def test_who_may_hand_in_for_whom(door: Client, settings: Settings) -> None:
    for who, sender in (("district", OTHER), ("school", DISTRICT), ("office", DISTRICT), ("city", OFFICE)):
        asked = door.hand_in(("a.csv", returns()), who=who, sender=sender)
        assert (asked.status_code, asked.json()["type"][-15:]) == (403, "not-your-sender"), who
    assert door.hand_in(("a.csv", returns()), who="public").status_code == 401
    # A school may not send what a district sends, whatever it calls the file.
    for more in ({}, {"dataset": "grade_return"}):
        asked = door.hand_in(("a.csv", returns()), who="school", **more)
        assert asked.status_code == 422
        (reason,) = asked.json()["delivery"]["files"][0]["verdict"]["reasons"]
        assert reason["code"] == "sender_not_for_dataset"
    strange = door.hand_in(("a.csv", returns()), who="steward", sender="999999")
    (reason,) = strange.json()["delivery"]["files"][0]["verdict"]["reasons"]
    assert (strange.status_code, reason["code"]) == (422, "sender_unknown")
    assert landed(settings) == []
    assert door.hand_in(("a.csv", returns()), who="steward", sender=DISTRICT).status_code == 202


def test_a_delivery_of_others_is_not_there(door: Client) -> None:
    made = door.hand_in(("a.csv", returns() + b"x,y,z\n")).json()
    door.verdict(made["id"])
    for who in ("other", "school", "office", "city"):
        for path in ("", "/files/1/report.xlsx", "/files/1/marked.xlsx"):
            asked = door.get(f"/api/v1/deliveries/{made['id']}{path}", headers={"x-who": who})
            assert asked.status_code == 404
            assert made["sender_code"] not in asked.text
        asked = door.post(
            f"/api/v1/deliveries/{made['id']}/withdrawal", json={"reason": "x"}, headers={"x-who": who}
        )
        assert asked.status_code == 404
        assert door.get("/api/v1/deliveries", headers={"x-who": who}).json()["deliveries"] == []
        hidden = door.get(f"/api/v1/deliveries?sender={DISTRICT}", headers={"x-who": who})
        assert hidden.status_code == 404
    steward = door.get("/api/v1/deliveries", headers={"x-who": "steward"}).json()["deliveries"]
    assert [one["id"] for one in steward] == [made["id"]]


def test_a_delivery_is_taken_back_before_anybody_read_it(door: Client, settings: Settings) -> None:
    made = door.hand_in(("a.csv", returns())).json()
    asked = door.post(f"/api/v1/deliveries/{made['id']}/withdrawal", json={"reason": "日期有误"})
    assert asked.status_code == 200, asked.text
    assert (asked.json()["state"], asked.json()["withdrawal"]["reason"]) == ("withdrawn", "日期有误")
    assert [*withdrawals.load(settings)] == [made["files"][0]["delivery_id"]]
    # The same bytes again are a new delivery.
    again = door.hand_in(("a.csv", returns()))
    assert again.status_code == 202
    assert again.json()["files"][0]["delivery_id"] != made["files"][0]["delivery_id"]
    empty = door.post(f"/api/v1/deliveries/{made['id']}/withdrawal", json={"reason": ""})
    assert empty.status_code == 422


def test_bounds_and_slips_are_told(door: Client, settings: Settings) -> None:
    bounds = settings.door
    large = door.hand_in(("a.csv", b"x" * (bounds.file_mb * 1024**2 + 1)))
    assert large.status_code == 422
    assert "100 MB" in large.json()["detail"]
    many = door.hand_in(*[(f"{n}.csv", b"x") for n in range(bounds.files + 1)])
    assert (many.status_code, many.json()["type"]) == (413, "urn:edulake:problem:too-many-files")
    cut = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc'
    form = {"content-type": "multipart/form-data; boundary=b"}
    assert door.post("/api/v1/deliveries", content=cut, headers=form).status_code == 400
    assert door.post("/api/v1/deliveries", content=b"x").status_code == 415
    assert door.hand_in(("a.csv", returns()), dataset="nothing").status_code == 422
    assert door.get("/api/v1/deliveries?distrikt=1").status_code == 422
    assert landed(settings) == []
    assert [path.name for path in (settings.home / "door" / "spool").glob("*/*")] == ["lock"]


def test_a_name_leads_nowhere_else(door: Client, settings: Settings) -> None:
    made = door.hand_in(("../../../x.csv", returns()), ("C:\\a\\.hidden.csv", returns("3"))).json()
    assert [file["name"] for file in made["files"]] == ["x.csv", "hidden.csv"]
    assert all(
        Path(one).is_relative_to(settings.landing) for one in map(settings.landing.joinpath, landed(settings))
    )


def test_a_template_is_there_for_everybody(door: Client) -> None:
    asked = door.get("/api/v1/templates/grade_return.xlsx", headers={"x-who": "public"})
    assert openpyxl.load_workbook(io.BytesIO(asked.content)).worksheets[0]["A1"].value
    assert door.get("/api/v1/templates/nothing.xlsx").status_code == 404


def test_who_may_hand_in_reads_for_whom_and_what(door: Client) -> None:
    told = door.get("/api/v1/deliveries/senders", headers={"x-who": "school"}).json()
    assert (told["default"], [one["code"] for one in told["senders"]]) == (SCHOOL, [SCHOOL])
    assert "pupil_registration" in {one["dataset"] for one in told["datasets"]["school"]}
    assert "grade_return" not in {one["dataset"] for one in told["datasets"]["school"]}

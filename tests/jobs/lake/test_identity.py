"""Persons: tokens at the border, temporary numbers joined to later ones, decisions undone, keys rotated."""

from __future__ import annotations

import dataclasses
import stat
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import clock, declare
from jobs.ingest import balance, clean, raw, rotation
from jobs.judging import identifiers
from jobs.lake import deliveries, identity, links, persons, tables
from jobs.lake.runs import Run
from jobs.publish import asof
from jobs.settings import Settings, UserError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HEADER = "学籍号,姓名,性别,出生日期,身份证件类型,身份证件号,学校标识码,年级,班级,学籍状态"
LATE = datetime(2026, 6, 30, tzinfo=UTC)


def card(serial: int) -> str:
    body = f"99435520150101{serial:03d}"
    return (
        body + identifiers.CHECK[sum(int(d) * w for d, w in zip(body, identifiers.WEIGHTS, strict=True)) % 11]
    )


def line(number: str, document: str) -> str:
    return f"{number},某某,男,20150101,1,{document},2111000001,01,1班,1"


def roll(settings: Settings, spark: SparkSession, day: str, term: int, lines: list[str]) -> None:
    source = settings.home / f"名册_2025-2026-{term}.csv"
    source.write_text("\n".join([HEADER, *lines, ""]), encoding="gb18030")
    deliveries.land(settings, source, "enrollment", "110101", date.fromisoformat(day))
    raw.write_raw(settings, f"{day}.1", "enrollment")
    clean.clean_rows(settings, spark, f"{day}.1", "enrollment")


def keys_by_term(settings: Settings) -> dict[int, set[str]]:
    _, rows = asof.query(
        settings,
        "select term, list(distinct pupil_key) from newest_by_scope.clean_enrollment__pupil_roll"
        " group by term",
        date(2026, 6, 30),
        date(2026, 6, 30),
    )
    return {term: set(found) for term, found in rows}


def test_who_may_not_see_persons_asks_the_general_table(two_terms: Settings) -> None:
    rows = "select count(*), count(distinct pupil_key) from clean_enrollment__pupil_roll"
    day = date(2026, 6, 30)
    links.find_links(two_terms)
    assert asof.query(two_terms, rows, day) == asof.query(two_terms, f"{rows}__general", day)
    two_terms.restricted.rename(two_terms.lake.parent / "elsewhere")
    assert asof.query(two_terms, f"{rows}__general", day)[1] == [(2, 2)]
    with pytest.raises(UserError, match="general"):
        asof.query(two_terms, rows, day)
    _, columns = asof.query(two_terms, "describe clean_enrollment__pupil_roll__general", day)
    assert not {"birth_date", "sex_code", "is_migrant_child", "document_key"} & {row[0] for row in columns}


def test_a_general_row_that_is_missing_is_found(two_terms: Settings) -> None:
    assert balance.broken(two_terms) == []
    general = tables.open_table(two_terms, "clean_enrollment__pupil_roll__general")
    assert general is not None
    general.delete("term = 2 and _line_number = 2")
    assert [row["problem"] for row in balance.broken(two_terms)] == ["general rows <> clean rows"]


@pytest.fixture
def two_terms(settings: Settings, spark: SparkSession) -> Settings:
    """Pupil 1 has a temporary number in autumn and a lasting one in spring; pupil 2 keeps hers."""
    temporary = "L99435520150104711"[:19].ljust(19, "0")
    roll(settings, spark, "2025-09-20", 1, [line(temporary, card(1)), line("G" + card(2), card(2))])
    roll(settings, spark, "2026-03-05", 2, [line("G" + card(1), card(1)), line("G" + card(2), card(2))])
    return settings


def test_a_temporary_number_and_the_later_one_are_one_pupil(two_terms: Settings) -> None:
    before = keys_by_term(two_terms)
    assert len(before[1] | before[2]) == 3
    assert links.find_links(two_terms) == links.find_links(two_terms) == 1
    (row,) = tables.rows(two_terms, persons.LINKS)
    assert row["link_reason_code"] == "same_document"
    assert row["recorded_at"] == clock.start_of_day(date(2026, 3, 5), two_terms.timezone)
    after = keys_by_term(two_terms)
    assert after[1] == after[2]
    assert after[1] == {min(before[1] ^ before[2]), *(before[1] & before[2])}
    # Before the evidence came in, nobody knew.
    assert persons.persons(two_terms, datetime(2026, 1, 1, tzinfo=UTC)) == {}


def test_a_link_is_undone_and_made_by_hand_without_rewriting_rows(two_terms: Settings) -> None:
    links.find_links(two_terms)
    clean = declare.load()["pupil_roll"].table
    version = tables.pin(two_terms)[clean]
    (row,) = tables.rows(two_terms, persons.LINKS)
    pair = row["linked_person_token"], row["person_token"]
    persons.decide(two_terms, *pair, "两名学生误用同一证件号", date(2026, 3, 9), are_one=False)
    assert persons.persons(two_terms, LATE) == {}
    links.find_links(two_terms)
    assert persons.persons(two_terms, LATE) == {}, "evidence found again does not undo the bureau's word"
    assert persons.persons(two_terms, datetime(2026, 3, 8, tzinfo=UTC)) != {}, "as known before the decision"
    persons.decide(two_terms, *pair, "核实为同一人", date(2026, 3, 9), are_one=True)
    assert persons.persons(two_terms, LATE) == {max(pair): min(pair)}
    assert tables.pin(two_terms)[clean] == version
    with pytest.raises(UserError, match="two different tokens"):
        persons.decide(two_terms, pair[0], pair[0], "x", date(2026, 3, 9), are_one=True)
    with pytest.raises(UserError, match="reason"):
        persons.decide(two_terms, *pair, " ", date(2026, 3, 9), are_one=True)


def test_one_document_under_two_lasting_numbers_links_nobody_and_is_found(
    settings: Settings, spark: SparkSession
) -> None:
    from jobs.ingest import relations

    lines = [line("G" + card(1), card(1)), line("G" + card(2), card(1)), line("G" + card(3), "无")]
    roll(settings, spark, "2025-09-20", 1, lines)
    assert links.find_links(settings) == 0
    run = Run("2026-06-30.1", "beijing", date(2026, 6, 30), LATE, "test", "", 7, "running", None, {})
    relations.measure(settings, run)
    found = [r for r in tables.rows(settings, "ops__finding") if r["relation"] == "one_document_one_pupil"]
    assert sorted(r["line_number"] for r in found) == [2, 3]
    assert {r["evidence"] for r in found} == {"2 个学籍号"}


def test_identifiers_stay_in_the_restricted_zone_as_hmac(two_terms: Settings) -> None:
    where = tables.path(two_terms, persons.IDENTIFIERS)
    assert where.parent.name == "restricted"
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    rows = tables.rows(two_terms, persons.IDENTIFIERS)
    assert (
        sorted(r["identifier_kind"] for r in rows) == ["id_document_number"] * 2 + ["pupil_national_id"] * 3
    )
    for file in two_terms.lake.rglob("*.parquet"):
        if file.is_relative_to(two_terms.lake / "restricted" / "raw_enrollment"):
            continue
        assert card(1) not in str(pq.read_table(file).to_pydict()), file
    with pytest.raises(UserError, match="refused"):
        asof.query(two_terms, "select * from person_identifier", date(2026, 1, 1))


@pytest.fixture
def real_site(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("EDULAKE_HMAC_KEY_FILE", str(_key_file(tmp_path / "key1", b"1")))
    return dataclasses.replace(settings, is_synthetic=False)


def _key_file(file: Path, byte: bytes) -> Path:
    file.write_bytes(byte * 40)
    file.chmod(0o600)
    return file


def test_rotation_keeps_every_token_and_rewrites_one_small_table(
    real_site: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = [line("G" + card(i), card(i)) for i in (1, 2, 3)]
    roll(real_site, spark, "2025-09-20", 1, own)
    before, old = keys_by_term(real_site)[1], identity.keys(real_site)
    clean = declare.load()["pupil_roll"].table
    version = tables.pin(real_site)[clean]
    second = _key_file(tmp_path / "key2", b"2")
    assert rotation.rotate(real_site, rotation.next_lookup(real_site, second)) == {
        "identifiers": 6,
        "version": 2,
    }
    assert tables.pin(real_site)[clean] == version
    monkeypatch.setenv("EDULAKE_HMAC_KEY_FILE", str(second))
    new = identity.keys(real_site)
    assert (new.version, new.lookup == old.lookup, new.mint == old.mint) == (2, False, False)
    rows = tables.rows(real_site, persons.IDENTIFIERS)
    assert {r["key_version"] for r in rows} == {2}
    known = {r["identifier_hmac"] for r in rows}
    assert identity.lookup_hmac("pupil_national_id", "G" + card(1), old.lookup) not in known
    assert identity.lookup_hmac("pupil_national_id", "G" + card(1), new.lookup) in known
    roll(real_site, spark, "2026-03-05", 2, [*own, line("G" + card(4), card(4))])
    after = keys_by_term(real_site)
    assert after[1] == before
    assert before < after[2]
    (fresh,) = after[2] - before
    assert fresh == identity.token("pupil_national_id", "G" + card(4), new)
    # A second time, with the tokens of both mints.
    third = _key_file(tmp_path / "key3", b"3")
    assert rotation.rotate(real_site, rotation.next_lookup(real_site, third))["identifiers"] == 8
    monkeypatch.setenv("EDULAKE_HMAC_KEY_FILE", str(third))
    # One pupil left, so that these are not the bytes of an earlier file.
    roll(real_site, spark, "2026-03-12", 2, [line("G" + card(4), card(4)), *own])
    assert keys_by_term(real_site)[2] == after[2]


def test_a_real_site_mints_its_own_tokens_and_keeps_the_mint_for_itself(real_site: Settings) -> None:
    own = identity.keys(real_site)
    assert own == identity.keys(real_site)
    file = real_site.secrets / "identity.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    assert identity.keys(real_site).mint != own.mint


def test_a_synthetic_site_has_the_same_tokens_everywhere(settings: Settings) -> None:
    assert identity.token("pupil_national_id", "G1", identity.keys(settings)) == identity.token(
        "pupil_national_id", "G1", identity.keys(dataclasses.replace(settings, secrets=settings.run))
    )


tokens = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(tokens, tokens).filter(lambda pair: pair[0] != pair[1])), st.randoms())
def test_a_pupils_key_is_the_least_token_of_its_set_in_any_order(
    pairs: list[tuple[str, str]], chance: Any
) -> None:
    sets = [{token} for token in "abcdefgh"]
    for one, other in pairs:
        first = next(s for s in sets if one in s)
        second = next(s for s in sets if other in s)
        if first is not second:
            sets.remove(second)
            first |= second
    expected = {token: min(own) for own in sets for token in own if token != min(own)}
    chance.shuffle(pairs)
    assert persons.resolve(pairs) == expected

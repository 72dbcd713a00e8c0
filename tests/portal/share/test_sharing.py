"""Delta Sharing, read by the official client: a key's own rows, of one release, and nothing else."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import delta_sharing
import httpx
import pandas as pd
import pytest
from delta_sharing.protocol import CdfOptions, DeltaSharingProfile, Schema, Share, Table
from delta_sharing.reader import DeltaSharingReader
from delta_sharing.rest_client import DataSharingRestClient
from requests.exceptions import HTTPError

from jobs import origin
from jobs.access import keys
from jobs.access.caller import Role
from jobs.access.keys import Wanted
from jobs.access.store import open_store
from jobs.publish import release as releases
from jobs.publish.release import Release
from jobs.settings import Settings
from portal.access.keeper import SiteKeeper
from portal.app import create_app
from portal.share import links, parquet

from ..test_connections import serving

TABLE = "fct_school_fitness"


@pytest.fixture(scope="module")
def port(published: Settings) -> Iterator[int]:
    with serving(create_app(published, SiteKeeper(published))) as port:
        yield port


def key(settings: Settings, role: Role = Role.DISTRICT, unit: str = "110101", can: str = "share") -> str:
    store = open_store(settings)
    return keys.add(store, Wanted("BI", role, unit, "110101", (can,), per_minute=6000), "test")[1]


def client(port: int, text: str) -> DataSharingRestClient:
    at = f"http://127.0.0.1:{port}/api/v1/delta-sharing"
    return DataSharingRestClient(DeltaSharingProfile(1, at, text), num_retries=0)


def read(of: DataSharingRestClient, table: str = TABLE, **more: object) -> pd.DataFrame:
    return DeltaSharingReader(Table(table, "beijing", "marts"), of, **more).to_pandas()  # type: ignore[arg-type]


def stored(settings: Settings, audience: str, number: int = 1) -> pd.DataFrame:
    release = releases.find(settings, number)
    assert release is not None
    return releases.open_release(release, audience).execute(f"select * from {TABLE} order by rowid").df()


def compared(shared: pd.DataFrame, held: pd.DataFrame) -> None:
    assert [name for name in shared.columns if name != origin.COLUMN] == held.columns.tolist()
    for column in held.columns:
        got, want = shared[column], held[column]
        if column in ("tested_on", "scored_at"):
            got, want = pd.to_datetime(got, utc=True), pd.to_datetime(want, utc=True)
        if column == "pass_share":
            got = got.astype(float)
        assert got.astype(object).where(got.notna(), None).tolist() == (
            want.astype(object).where(want.notna(), None).tolist()
        ), column


def test_a_district_reads_its_own_rows_of_every_table_and_no_other(port: int, published: Settings) -> None:
    of = client(port, key(published))
    assert [share.name for share in of.list_shares().shares] == ["beijing"]
    assert [schema.name for schema in of.list_schemas(Share("beijing")).schemas] == ["marts"]
    listed = {table.name for table in of.list_all_tables(Share("beijing")).tables}
    assert listed == {table.name for table in of.list_tables(Schema("marts", "beijing")).tables}
    assert TABLE in listed
    assert "fct_pupil_fitness" not in listed
    rows = read(of)
    compared(rows, stored(published, "district-110101"))
    assert set(rows["district_code"]) == {"110101"}
    city = read(client(port, key(published, Role.CITY, "")))
    compared(city, stored(published, "city"))
    assert len(city) > len(rows)
    for table in sorted(listed):
        assert set(read(of, table).get("district_code", [])) <= {"110101"}, table


def test_a_school_reads_its_own_rows(port: int, published: Settings) -> None:
    of = client(port, key(published, Role.SCHOOL, "2111010000"))
    assert set(read(of)["school_code"]) == {"2111010000"}


def test_the_official_functions_read_a_profile_file(
    port: int, published: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    profile = tmp_path_factory.mktemp("profile") / "beijing.share"
    at = f"http://127.0.0.1:{port}/api/v1/delta-sharing"
    profile.write_text(
        f'{{"shareCredentialsVersion": 1, "endpoint": "{at}", "bearerToken": "{key(published)}"}}'
    )
    assert len(delta_sharing.SharingClient(profile).list_all_tables()) > 3
    url = f"{profile}#beijing.marts.{TABLE}"
    assert delta_sharing.get_table_version(url) == 1
    assert delta_sharing.get_table_protocol(url).min_reader_version == 1
    assert "及格率" in delta_sharing.get_table_metadata(url).schema_string
    compared(delta_sharing.load_as_pandas(url), stored(published, "district-110101"))


def test_parts_and_a_limit(port: int, published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 25)
    of = client(port, key(published))
    assert len(of.list_files_in_table(Table(TABLE, "beijing", "marts")).add_files) == 3
    compared(read(of), stored(published, "district-110101"))
    few = of.list_files_in_table(Table(TABLE, "beijing", "marts"), limitHint=7)
    assert len(few.add_files) == 1
    compared(read(of, limit=7), stored(published, "district-110101").head(7))
    assert len(read(of, limit=0)) == 0


def test_a_release_that_comes_in_the_middle_of_a_read_is_never_mixed(
    settings: Settings, publish: Callable[..., Release], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "PART_ROWS", 20)
    publish(1)
    with serving(create_app(settings, SiteKeeper(settings))) as port:
        swapped(client(port, key(settings)), settings, publish)


def swapped(of: DataSharingRestClient, settings: Settings, publish: Callable[..., Release]) -> None:
    told = of.list_files_in_table(Table(TABLE, "beijing", "marts"))
    publish(2)
    files = [httpx.get(file.url).content for file in told.add_files]
    rows = pd.concat(pd.read_parquet(io.BytesIO(one)) for one in files)
    assert set(rows["run_number"]) == {1}
    compared(rows, stored(settings, "district-110101"))
    assert of.query_table_version(Table(TABLE, "beijing", "marts")).delta_table_version == 2
    assert set(read(of)["run_number"]) == {2}
    assert set(read(of, version=1)["run_number"]) == {1}
    with pytest.raises(HTTPError, match="404"):
        read(of, version=9)


@pytest.mark.parametrize("what", ["timestamp", "changes", "delta format", "timestamp of a version"])
def test_what_is_not_offered_is_refused_in_words(port: int, published: Settings, what: str) -> None:
    of, table = client(port, key(published)), Table(TABLE, "beijing", "marts")
    asks: dict[str, Callable[[], object]] = {
        "timestamp": lambda: of.list_files_in_table(table, timestamp="2026-01-01T00:00:00Z"),
        "changes": lambda: of.list_table_changes(table, CdfOptions(starting_version=0)),
        "delta format": lambda: read(of, use_delta_format=True),
        "timestamp of a version": lambda: of.query_table_version(table, "2026-01-01T00:00:00Z"),
    }
    with pytest.raises(HTTPError, match="400") as refused:
        asks[what]()
    assert "is not offered" in str(refused.value)


def test_without_the_right_nothing_is_shared(port: int, published: Settings) -> None:
    at = f"http://127.0.0.1:{port}/api/v1/delta-sharing/shares"
    assert httpx.get(at).status_code == 401
    reader = key(published, can="read")
    assert httpx.get(at, headers={"authorization": f"Bearer {reader}"}).status_code == 403
    assert httpx.get(at, headers={"authorization": "Bearer edk_0_x"}).status_code == 401
    with pytest.raises(HTTPError, match="404"):
        read(client(port, key(published)), "fct_pupil_fitness")


def test_a_link_ends_with_the_key_that_asked_for_it(port: int, published: Settings) -> None:
    secret, other = key(published), key(published)
    table = Table(TABLE, "beijing", "marts")
    urls = [client(port, one).list_files_in_table(table).add_files[0].url for one in (secret, other)]
    assert [httpx.get(url).status_code for url in urls] == [200, 200]
    keys.revoke(open_store(published), secret.split("_")[1])
    gone, good = (httpx.get(url) for url in urls)
    assert (gone.status_code, gone.json()["type"]) == (403, "urn:edulake:problem:link-withdrawn")
    assert good.status_code == 200


def test_links_are_signed_and_end(port: int, published: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    of = client(port, key(published))
    url = of.list_files_in_table(Table(TABLE, "beijing", "marts")).add_files[0].url
    whole = httpx.get(url)
    assert whole.status_code == 200
    part = httpx.get(url, headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, whole.content[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(whole.content)}"
    assert httpx.get(url, headers={"range": "bytes=-8"}).content == whole.content[-8:]
    assert httpx.get(url, headers={"range": f"bytes={len(whole.content)}-"}).status_code == 416
    assert httpx.head(url).headers["content-length"] == str(len(whole.content))
    told, _, sign = url.rpartition("/")[2].partition(".")
    for other in (f"{told}.{sign[:-2]}xx", f"{told[:-4]}AAAA.{sign}", told, "x.y"):
        assert httpx.get(f"{url.rpartition('/')[0]}/{other}").status_code == 403
    made = links.Links()
    wanted = links.Part(1, "city", "", TABLE, 0, 5)
    assert made.read(made.made(wanted, time.time() + 5, "key-a")) == (wanted, "key-a")
    assert wanted.key != replace(wanted, audience="public").key
    with pytest.raises(Exception, match="link"):
        made.read(made.made(wanted, time.time() - 1))

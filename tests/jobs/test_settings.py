from __future__ import annotations

import errno
import importlib
import os
import re
import subprocess
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs import declare
from jobs import settings as site_settings
from jobs.files import readable
from jobs.settings import FEEDS, ROOT, SERVICES, Settings, UserError, load, way_out, writing

NAMES = re.compile(r"EDULAKE_[A-Z_]*[A-Z]")
EMPTIEST = "title_zh: 某市\ntitle_en: A city\ntimezone: Asia/Shanghai\nfeeds: [place_demand]\nservices: []\n"


def test_unknown_site_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError) as told:
        load("atlantis", home=tmp_path)
    assert "atlantis" in told.value.message
    assert "beijing, nyc, us" in told.value.way_out


def test_every_site_file_is_complete_and_its_input_stands_in_the_repository(tmp_path: Path) -> None:
    loaded = {site: load(site, home=tmp_path) for site in site_settings.known_sites()}
    assert set(loaded) >= {"beijing", "nyc", "us"}
    assert loaded["beijing"].feeds == FEEDS
    assert loaded["beijing"].services == SERVICES
    assert loaded["beijing"].is_synthetic
    assert not loaded["nyc"].is_synthetic
    assert [site for site, own in loaded.items() if own.real_input] == ["nyc", "us"]
    assert [site for site, own in loaded.items() if own.gaps] == []


def test_argument_goes_before_environment_before_last_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(home=tmp_path).site == "beijing"
    load("us", home=tmp_path).remember()
    assert load(home=tmp_path).site == "us"
    monkeypatch.setenv("EDULAKE_SITE", "nyc")
    assert load(home=tmp_path).site == "nyc"
    assert load("beijing", home=tmp_path).site == "beijing"


def test_load_writes_nothing_and_prepare_makes_every_folder(tmp_path: Path) -> None:
    site = load("beijing", home=tmp_path / "home")
    assert not (tmp_path / "home").exists()
    site.prepare().prepare()
    assert sorted(path.name for path in site.home.iterdir()) == sorted(
        ["airflow", "lake", "landing", "logs", "releases", "run", "secrets"]
    )
    assert {path.stat().st_mode & 0o777 for path in (site.home, *site.home.rglob("*"))} == {0o700}


def test_prepare_takes_from_others_what_they_could_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_STORAGE", str(tmp_path / "disk2"))
    site = load("beijing", home=tmp_path / "home").prepare()
    by_hand = site.landing / "enrollment" / "110101" / "2025-09-10_1"
    by_hand.mkdir(parents=True)
    roll = by_hand / "名册.csv"
    roll.write_text("姓名\n")
    roll.chmod(0o644)
    elsewhere = tmp_path / "elsewhere.csv"
    elsewhere.write_text("")
    elsewhere.chmod(0o644)
    (by_hand / "link.csv").symlink_to(elsewhere)
    site.prepare()
    assert roll.stat().st_mode & 0o777 == 0o600
    assert elsewhere.stat().st_mode & 0o777 == 0o644, "a link is not what it leads to"

    of_an_earlier_version = site.lake / "ops__run" / "part.parquet"
    of_an_earlier_version.parent.mkdir(mode=0o755)
    of_an_earlier_version.write_text("")
    of_an_earlier_version.chmod(0o444)
    site.lake.chmod(0o755)
    site.prepare()
    assert of_an_earlier_version.stat().st_mode & 0o777 == 0o400
    assert of_an_earlier_version.parent.stat().st_mode & 0o777 == 0o700


def test_two_sites_share_no_folder(make_settings: Callable[..., Settings]) -> None:
    beijing, nyc = make_settings("beijing"), make_settings("nyc")
    assert beijing.home.parent == nyc.home.parent
    assert not nyc.lake.is_relative_to(beijing.home)


def test_storage_moves_the_lake_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDULAKE_STORAGE", str(tmp_path / "disk2"))
    site = load("us", home=tmp_path / "home")
    assert site.lake == tmp_path / "disk2" / "us"
    assert site.landing == tmp_path / "home" / "us" / "landing"


@pytest.mark.parametrize(
    ("name", "value"), [("EDULAKE_STORAGE", "s3a://bucket/lake"), ("EDULAKE_SPARK", "localhost:15002")]
)
def test_an_environment_value_of_the_wrong_kind_is_named(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=name):
        load("beijing", home=tmp_path)


def test_a_folder_of_sites_outside_the_checkout_adds_to_its_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "sites"
    own.mkdir()
    (own / "elsewhere.yaml").write_text(EMPTIEST, encoding="utf-8")
    monkeypatch.setenv("EDULAKE_SITES", str(own))
    assert site_settings.known_sites() == ["beijing", "elsewhere", "nyc", "us"]
    assert load("elsewhere", home=tmp_path).file == own / "elsewhere.yaml"


def test_a_site_misspelled_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean `beijing`"):
        load("bejing", home=tmp_path)


def test_every_mistake_of_a_site_file_is_told_at_once_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beijing = (site_settings.SITES / "beijing.yaml").read_text(encoding="utf-8")
    broken = beijing.replace("  horizon: 8", "  horizont: 8").replace("synthetic: true", "synthetic: perhaps")
    (tmp_path / "here.yaml").write_text(broken.replace("title_en", "title_eng"), encoding="utf-8")
    monkeypatch.setenv("EDULAKE_SITES", str(tmp_path))
    with pytest.raises(UserError) as told:
        load("here", home=tmp_path)
    assert str(tmp_path / "here.yaml") in told.value.message
    assert told.value.message.splitlines()[1:] == [
        "  `title_en` is missing",
        "  line 5: `synthetic`: input should be a valid boolean, unable to interpret input",
        "  line 13: unknown setting `horizont` in places; did you mean `horizon`?",
        "  line 3: unknown setting `title_eng`; did you mean `title_en`?",
    ]


def test_every_variable_is_read_and_no_other_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = ("jobs", "synthetic", "portal", "dags", "dbt", "infra")
    files = [f for room in rooms for f in (ROOT / room).rglob("*") if f.suffix in (".py", ".yml", ".sql")]
    read = {name for f in files for name in NAMES.findall(f.read_text("utf-8")) if f.name != "settings.py"}
    read |= set(NAMES.findall((ROOT / "edulake").read_text("utf-8")))
    # These three are read where they are declared.
    own = {"EDULAKE_EXPECTATIONS", "EDULAKE_SITES", "EDULAKE_STORAGE"}
    assert read | own == set(site_settings.VARIABLES)
    monkeypatch.setenv("EDULAKE_HOMES", "/tmp/lake")
    monkeypatch.setenv("EDULAKE_HOME", "/tmp/lake")
    (told,) = site_settings.unknown_variables()
    assert told == "nothing reads the environment variable EDULAKE_HOMES; did you mean `EDULAKE_HOME`?"


def test_feeds_and_services_are_what_contracts_and_jobs_say() -> None:
    contracts = declare.load().values()
    assert {(c.feed, c.domain) for c in contracts} == set(site_settings.DOMAIN_OF_FEED.items())
    feed_of = {c.table: c.feed for c in contracts}
    for service, feeds in site_settings.FEEDS_OF_SERVICE.items():
        inputs = importlib.import_module(f"jobs.decide.{service}.job").INPUTS
        assert set(feeds) == {feed_of[table] for table in inputs if table in feed_of}, service


# Root passes permission bits, so the refusal comes from a file system that lets nobody make a folder.
@pytest.mark.parametrize("home", ["/sys/edulake", "/dev/null/edulake"])
def test_home_that_cannot_be_written_says_the_way_out(home: str) -> None:
    with pytest.raises(UserError) as told:
        load("beijing", home=home).prepare()
    assert home.split("/edulake", maxsplit=1)[0] in told.value.message
    assert "EDULAKE_HOME" in told.value.way_out


@contextmanager
def _ordinary_user() -> Iterator[None]:
    """Root passes permission bits; give that up for the length of a block."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folder_without_write_permission_says_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with _ordinary_user(), pytest.raises(UserError, match="may not write"):
        load("beijing", home=tmp_path / "home").prepare()


def test_a_place_that_is_not_the_lakes_is_not_mended_by_its_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    elsewhere, at_home = (
        PermissionError(errno.EACCES, "no", str(tmp_path / place))
        for place in ("out.csv", "home/beijing/run")
    )
    assert way_out(elsewhere) == "Give a folder that you may write."
    assert way_out(at_home) == "Set EDULAKE_HOME to a folder that you may write."


def test_full_disk_says_the_way_out() -> None:
    full = Path("/dev/full")  # every write to it fails as on a full disk
    with pytest.raises(UserError) as told, writing(full), full.open("wb") as file:
        file.write(b"x")
    assert "full" in told.value.message
    assert "free some space" in told.value.way_out.lower()


def test_other_errors_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), writing(tmp_path):
        tmp_path.read_text()


def test_nearly_full_disk_is_noticed_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(site_settings.shutil, "disk_usage", lambda _: usage(100 * 1024**3, 0, 1024**3))
    with pytest.raises(UserError, match=r"only 1\.0 GB are free"):
        load("beijing", home=tmp_path).prepare()


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("a%20b", "%20"),
        ("100%25", "%25"),
        ("a?b", "?"),
        ("a*", "*"),
        ("[a", "["),
        ("a]", "]"),
        ("a{b", "{"),
        ("a}b", "}"),
        ("a|b", "|"),
        ("a^b", "^"),
        ("a\\b", "\\"),
        ("a\nb", "%0A"),
        ("$HOME", "$HOME"),
        ("x${PATH}", "{"),
    ],
)
@pytest.mark.parametrize("variable", ["EDULAKE_HOME", "EDULAKE_STORAGE", "TMPDIR"])
def test_a_folder_that_a_library_would_misread_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sign: str, variable: str
) -> None:
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, str(tmp_path / name / "below"))
    with pytest.raises(UserError) as told:
        load("beijing")
    assert f"{variable} is {readable(str(tmp_path / name / 'below'))}" in told.value.message
    assert f"`{sign}`" in told.value.message
    assert f"set {variable} to" in told.value.way_out
    assert list(tmp_path.iterdir()) == []
    # A link with a sound name leads there all the same: Delta follows it.
    (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / name)
    monkeypatch.setenv(variable, str(tmp_path / "link"))
    with pytest.raises(UserError, match="A link to it does not help"):
        load("beijing")


def test_a_checkout_that_java_and_python_would_take_for_two_folders_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_settings, "ROOT", tmp_path / "a:b")
    with pytest.raises(UserError, match="`:`") as told:
        load("beijing", home=tmp_path)
    assert "move the checkout" in told.value.way_out


def test_a_command_is_printed_as_a_shell_takes_it(tmp_path: Path) -> None:
    site = load("us", home=tmp_path)
    words = ["sql", "select 'a' from \"教 育\" where x = '$HOME #1 100%'"]
    line = site.command(*words)
    seen = subprocess.run(
        ["sh", "-c", line.replace("./edulake", "printf '%s\\0'", 1)], capture_output=True, check=True
    )
    assert seen.stdout.decode().split("\0") == [*words, "--site", "us", ""]

"""An old release made again from its manifest: equal digests, or the reason why not."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from jobs import settings as site_settings
from jobs.lake import runs, tables
from jobs.publish import drafts, journal, remake
from jobs.publish import release as releases
from jobs.settings import Settings, UserError


@pytest.fixture
def mine(lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the finished lake that a test may change."""
    shutil.copytree(lake.home, tmp_path / "copy" / lake.site)
    monkeypatch.setenv("EDULAKE_HOME", str(tmp_path / "copy"))
    monkeypatch.setenv("EDULAKE_SITE", lake.site)
    return site_settings.load()


def test_a_release_that_went_is_made_again_and_put_back(mine: Settings) -> None:
    published = releases.current(mine)
    assert published is not None
    drafts.keep_manifest(mine, published.number)
    shutil.rmtree(published.folder)

    done = remake.make(mine, published.number)
    assert (done.unequal, done.is_equal, done.is_put_back) == ((), True, True)
    assert len(done.equal) == len(published.manifest["tables"])
    again = releases.read(published.folder)
    releases.verify(again)
    for audience in ("full", "city", "public"):
        assert releases.open_release(again, audience)
        before = published.manifest["files"][f"{audience}.duckdb"]["tables"]
        assert again.manifest["files"][f"{audience}.duckdb"]["tables"] == before
    assert not list(mine.releases.glob(".build*"))
    assert not list(mine.restricted.glob("remade-*"))


def test_why_a_release_cannot_be_made(mine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no manifest of a release 9"):
        remake.make(mine, 9)
    published = releases.current(mine)
    assert published is not None
    # A file of a version that the release was made of is vacuumed.
    table = next(t for t in sorted(published.manifest["inputs"]) if t.startswith("clean_fitness"))
    for file in tables.files(tables.open_table(mine, table, published.manifest["inputs"][table])):
        Path(file).unlink()
    journal.write(mine, 0, journal.FORGOTTEN, "")
    journal.write(mine, 0, journal.FORGOTTEN, "")
    monkeypatch.setattr(runs, "fingerprint", lambda _: "another")
    done = remake.make(mine, published.number)
    assert not done.is_equal
    told = " ".join(reason.en for reason in done.reasons)
    assert "this is another" in told
    assert f"{table}@" in told
    assert "2 pupils were forgotten since" in told


def test_the_commit_of_an_old_code_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a history of its own: the second newest commit has the code that is asked for."""

    def git(*words: str) -> str:
        named = ("-c", "user.name=t", "-c", "user.email=t@t")
        done = subprocess.run(["git", "-C", str(tmp_path), *named, *words], capture_output=True, check=True)
        return done.stdout.decode().strip()

    settings = site_settings.load("beijing", tmp_path / "home")
    for name in ("jobs/b.py", "jobs/a/z.py", "dbt/m.sql", "dbt/target/left.sql", "expectations/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "site.yaml").write_text("site")
    monkeypatch.setattr(remake, "ROOT", tmp_path)
    monkeypatch.setattr(runs, "EXPECTATIONS", tmp_path / "expectations")
    here = replace(
        settings, root=tmp_path, file=tmp_path / "infra" / "site.yaml", districts=None, senders=None,
        calendar=None, map=None,
    )  # fmt: skip
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "old")
    wanted, commit = runs.fingerprint(here), git("rev-parse", "HEAD")
    (tmp_path / "jobs" / "b.py").write_text("new")
    git("commit", "-qam", "new")
    assert runs.fingerprint(here) != wanted
    assert remake._commit_of(here, wanted) == commit
    assert remake._commit_of(here, "0" * 16) is None


def test_a_manifest_outlives_its_release(settings: Settings) -> None:
    (settings.releases / "3").mkdir(parents=True)
    (settings.releases / "3" / "manifest.json").write_bytes(orjson.dumps({"release": 3}))
    drafts.keep_manifest(settings, 3)
    shutil.rmtree(settings.releases / "3")
    assert drafts.past_manifest(settings, 3) == {"release": 3}
    assert drafts.past_numbers(settings) == [3]
    assert drafts.past_manifest(settings, 4) is None

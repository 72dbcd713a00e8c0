"""Make an old release again from its manifest: the same table versions, the same two dates, the same code.

Only the code of the manifest's version makes it; other code is never run in its place. What is made is
compared table by table. A release that is kept no longer is put back where everything is equal.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from jobs.declare.words import Text
from jobs.files import fsync
from jobs.lake import runs, tables
from jobs.publish import audience_files, drafts, journal, mart_sources, marts, published_models
from jobs.publish import release as releases
from jobs.publish.protect import archive, hide, rules
from jobs.publish.published_models import Columns, Model
from jobs.publish.release import publishing_alone
from jobs.settings import ROOT, DamagedError, Settings, UserError, writing
from jobs.sql import literals

_FOLDERS = ("jobs", "dbt", "expectations")
_SUFFIXES = (".py", ".sql", ".yaml", ".yml", ".csv")
# Commits that are looked at for the code of an old release, newest first.
_MOST_COMMITS = 400


@dataclass(frozen=True)
class Outcome:
    """What came of it: tables that are equal or not, and why it could not be made or differs."""

    number: int
    equal: tuple[str, ...] = ()
    unequal: tuple[str, ...] = ()
    reasons: tuple[Text, ...] = ()
    is_put_back: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether it was made, and is what was published."""
        return bool(self.equal) and not self.unequal


def make(settings: Settings, number: int) -> Outcome:
    """Make a release again and compare it; one that is kept no longer is put back if it is equal.

    Nothing is written otherwise. Raises UserError for a number that was never published.
    """
    kept = releases.find(settings, number)
    manifest = kept.manifest if kept else drafts.past_manifest(settings, number)
    if manifest is None:
        raise UserError(
            f"{settings.site} has no manifest of a release {number}.",
            f"`{settings.command('release', 'list')}` shows those that are kept.",
        )
    reasons = [*_other_code(settings, manifest), *_lost_versions(settings, manifest)]
    forgotten = _forgotten(settings, manifest)
    if reasons:
        return Outcome(number, reasons=(*reasons, *forgotten))
    settings.restricted.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="remade-", dir=settings.restricted) as private:
        return _made(settings, manifest, forgotten, Path(private), is_kept=kept is not None)


def _made(
    settings: Settings,
    manifest: Mapping[str, Any],
    forgotten: Sequence[Text],
    private: Path,
    *,
    is_kept: bool,
) -> Outcome:
    number, day = manifest["release"], date.fromisoformat(manifest["as_of_date"])
    known_at = datetime.fromisoformat(manifest["known_at"])
    try:
        build = marts.build_models(settings, mart_sources.names(), day, known_at, manifest["inputs"], private)
    except marts.MartsError as error:
        raise UserError(
            f"the marts of release {number} cannot be built: {error.shown}.", settings.command("doctor")
        ) from error
    declared = published_models.read_models(private / "dbt" / "manifest.json")
    models = {name: model.on(day) for name, model in declared.items()}
    columns = published_models.checked_columns(build, models)
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as writer:
        writer.execute(f"attach {literals(build)} as build (read_only)")
        public = [rules.read_rule(n, model.protect) for n, model in sorted(models.items()) if model.public]
        hide.protect(writer, "build.main", public, archive.read(settings).before(number), settings)
        told = {n: audience_files.described(writer, m, columns[n]) for n, m in sorted(models.items())}
        old = manifest["tables"]
        names = sorted({*old, *told})
        is_same = {n: old.get(n, {}).get("digest") == told.get(n, {}).get("digest") for n in names}
        unequal = tuple(name for name in names if not is_same[name])
        equal = tuple(name for name in names if is_same[name])
        if unequal:
            why = forgotten or [Text("原因不明，请报告", "nobody knows why: please report it")]
            return Outcome(number, equal, unequal, tuple(why))
        if is_kept:
            return Outcome(number, equal)
        _put_back(settings, writer, manifest, models, columns)
    return Outcome(number, equal, is_put_back=True)


def _put_back(
    settings: Settings,
    writer: duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    models: Mapping[str, Model],
    columns: Columns,
) -> None:
    """Write the files of a release again, under new names: no path is used twice."""
    number = manifest["release"]
    # Releases of earlier versions had no checklist.
    about = {"checklist": [], **manifest}
    published = [models[name] for name in sorted(columns) if name in models]
    audiences = [name.removesuffix(".duckdb") for name in manifest["files"]]
    with writing(settings.releases), publishing_alone(settings.releases):
        aside = settings.releases / f".build-{number}-{os.getpid()}"
        aside.mkdir()
        try:
            files = {}
            for audience in audiences:
                own = published_models.of_audience(published, audience)
                code = published_models.district_of(audience)
                entry = audience_files.write(writer, aside, audience, about, own, code)
                fresh = aside / f"{audience}~{os.getpid()}.duckdb"
                (aside / f"{audience}.duckdb").rename(fresh)
                files[f"{audience}.duckdb"] = entry | {"path": fresh.name}
            note = aside / "manifest.json"
            note.write_bytes(orjson.dumps({**manifest, "files": files}, option=orjson.OPT_INDENT_2))
            fsync(note)
            note.chmod(0o400)
            fsync(aside)
            aside.rename(settings.releases / str(number))
            fsync(settings.releases)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


def _lost_versions(settings: Settings, manifest: Mapping[str, Any]) -> list[Text]:
    lost = []
    for table, version in sorted(manifest["inputs"].items()):
        try:
            found = tables.open_table(settings, table, version)
        except DamagedError:
            found = None
        if found is None or not all(Path(file).is_file() for file in tables.files(found)):
            lost.append(f"{table}@{version}")
    named = ", ".join(lost)
    return [Text(f"下列数据表的历史版本已清除：{named}", f"these versions are gone: {named}")] if lost else []


def _forgotten(settings: Settings, manifest: Mapping[str, Any]) -> list[Text]:
    since = datetime.fromisoformat(manifest["published_at"])
    count = sum(
        event.event == journal.FORGOTTEN and datetime.fromisoformat(event.at) >= since
        for event in journal.events(settings.releases)
    )
    said = Text(f"此后已删除 {count} 名学生的数据", f"{count} pupils were forgotten since")
    return [said] if count else []


def _other_code(settings: Settings, manifest: Mapping[str, Any]) -> list[Text]:
    wanted, now = manifest["code_version"], runs.fingerprint(settings)
    if wanted == now:
        return []
    commit = _commit_of(settings, wanted)
    if commit is None:
        return [
            Text(
                f"该版本由代码 {wanted} 生成，现为 {now}；本仓库历史中未找到",
                f"code {wanted} made it, this is {now}; the history of this checkout has no such code",
            )
        ]
    way = f"git worktree add ../edulake-{wanted[:8]} {commit}"
    return [
        Text(
            f"该版本由代码 {wanted} 生成，现为 {now}。可取出旧代码重做：{way}",
            f"code {wanted} made it, this is {now}. To make it with that code: {way}",
        )
    ]


def _commit_of(settings: Settings, wanted: str) -> str | None:
    """The newest commit whose code has this version, as `runs.fingerprint` makes it; None without one."""

    def git(*words: str, given: bytes | None = None) -> bytes:
        done = subprocess.run(["git", "-C", str(ROOT), *words], input=given, capture_output=True, check=True)
        return done.stdout

    contents: dict[str, bytes] = {}
    try:
        commits = git("log", f"-{_MOST_COMMITS}", "--format=%H", "--", *_FOLDERS).decode().split()
        for commit in commits:
            listed = git("ls-tree", "-r", "-z", commit, "--", *_FOLDERS, "infra").decode().split("\0")
            blobs = {line.partition("\t")[2]: line.split()[2] for line in listed if line}
            new = [blob for blob in blobs.values() if blob not in contents]
            contents |= _blobs(git("cat-file", "--batch", given="\n".join(new).encode()))
            texts = {path: contents[blob] for path, blob in blobs.items()}
            if _fingerprint(texts, settings.own_files) == wanted:
                return commit
    except (OSError, subprocess.CalledProcessError):
        return None
    return None


def _blobs(said: bytes) -> dict[str, bytes]:
    """Name -> content, of what `git cat-file --batch` says."""
    found, at = {}, 0
    while at < len(said):
        end = said.index(b"\n", at)
        name, _, size = said[at:end].decode().split()
        found[name] = said[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return found


def _fingerprint(texts: Mapping[str, bytes], own: Sequence[Path]) -> str:
    """`runs.fingerprint` of a commit's files; files of the site as that commit has them, or as they are."""
    digest = hashlib.sha256()
    for folder in _FOLDERS:
        paths = sorted(Path(path) for path in texts if path.startswith(f"{folder}/"))
        for path in paths:
            if path.suffix in _SUFFIXES and "target" not in path.relative_to(folder).parts:
                digest.update(str(path).encode())
                digest.update(texts[str(path)])
    for file in own:
        digest.update(file.name.encode())
        inside = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else ""
        digest.update(texts[inside] if inside in texts else file.read_bytes())
    return digest.hexdigest()[:16]

"""A site's settings and folders, and the one exception that people are meant to read.

`load` only reads: the site's file in `infra/sites/` and the environment (`EDULAKE_HOME`, `EDULAKE_SITE`,
`EDULAKE_SPARK`, `EDULAKE_STORAGE`). `Settings.prepare` makes the folders, and is where a home that cannot be
written or a full disk is noticed, before any work is done.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from jobs.files import replacing

ROOT = Path(__file__).resolve().parent.parent
SITES = ROOT / "infra" / "sites"
DEFAULT_SITE = "beijing"

# Another folder by the environment, for the whole process: to try a declaration before it is ours.
EXPECTATIONS = Path(os.environ.get("EDULAKE_EXPECTATIONS", ROOT / "expectations"))

FEEDS = (
    "enrollment",
    "physical_fitness",
    "campus_safety",
    "place_demand",
    "district_statistics",
    "resources",
)
SERVICES = ("fitness", "places", "safety", "evaluation")

# With less, a run would die in the middle of a Delta commit or of the marts; Beijing takes 1 GB.
LEAST_FREE_BYTES = 2 * 1024**3

# What a full or locked disk says, and what a person can do about it.
_DISK_ERRORS = {
    errno.ENOSPC: ("the disk is full", "Free some space, or set EDULAKE_HOME to a folder on another disk"),
    errno.EDQUOT: ("your disk quota is used up", "Free some space, or set EDULAKE_HOME to another disk"),
    errno.EROFS: ("the disk is read-only", "Set EDULAKE_HOME to a folder that can be written"),
    errno.EACCES: ("you may not write there", "Set EDULAKE_HOME to a folder that you may write"),
    errno.EPERM: ("you may not write there", "Set EDULAKE_HOME to a folder that you may write"),
    errno.ENOENT: ("no folder can be made there", "set EDULAKE_HOME to a folder that can be written"),
    errno.ENOTDIR: ("a part of this path is a file", "Set EDULAKE_HOME to a folder that can be written"),
    errno.EEXIST: ("a file is in the way", "Move it away, or set EDULAKE_HOME to another folder"),
}


class UserError(Exception):
    """Something a person can put right: says what is wrong, and the way out. Shown without a traceback."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(f"{message}\n{way_out}")
        self.message = message
        self.way_out = way_out


@dataclass(frozen=True)
class Settings:
    """One site, where it lives and what is on. Paths need not exist before `prepare`."""

    site: str
    home: Path
    landing: Path
    lake: Path
    releases: Path
    airflow: Path
    secrets: Path
    logs: Path
    run: Path
    root: Path
    feeds: tuple[str, ...]
    services: tuple[str, ...]
    title_zh: str
    title_en: str
    timezone: str
    is_synthetic: bool
    input: str | None
    real_input: tuple[Mapping[str, Any], ...]
    places: Mapping[str, Any]
    small_cell: int
    spark_url: str | None

    @property
    def restricted(self) -> Path:
        """The part of the lake where values of persons lie."""
        return self.lake / "restricted"

    def prepare(self) -> Settings:
        """Make every folder of the site; `secrets` and what is `restricted` are for the owner alone. Doing it
        again changes nothing.

        Raises UserError when a folder cannot be made or written, or less than `LEAST_FREE_BYTES` are free.
        """
        private = (self.secrets, self.restricted)
        folders = (self.landing, self.lake, self.releases, self.airflow, self.logs, self.run)
        for folder in (self.home, *folders, *private):
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                # Root passes every permission bit and a mount may still refuse: only a file tells.
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(b"edulake")
        for folder in private:
            folder.chmod(0o700)
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE_BYTES:
            raise UserError(
                f"only {free / 1024**3:.1f} GB are free at {self.home}; "
                f"a run needs {LEAST_FREE_BYTES / 1024**3:.0f} GB.",
                "Free some space (`./edulake clean` removes a lake), or set EDULAKE_HOME to another disk.",
            )
        return self

    def remember(self) -> None:
        """Make this the site of every later command that names none."""
        note = self.home.parent / "site"
        with writing(note):
            note.parent.mkdir(parents=True, exist_ok=True)
            with replacing(note) as fresh:
                fresh.write_text(self.site + "\n", encoding="utf-8")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a full or locked disk met while writing `path` into a UserError; let other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        reason, way_out = _DISK_ERRORS[error.errno]
        raise UserError(f"cannot write {error.filename or path}: {reason}.", f"{way_out}.") from error


def known_sites() -> list[str]:
    """The sites that have a settings file, sorted."""
    return sorted(path.stem for path in SITES.glob("*.yaml"))


def input_packages() -> list[str]:
    """The packages that write a site's input, of all sites, sorted."""
    declared = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in SITES.glob("*.yaml"))
    return sorted({site["input"] for site in declared if isinstance(site, dict) and site.get("input")})


def load(site: str | None = None, home: Path | str | None = None) -> Settings:
    """The settings of `site`, else of EDULAKE_SITE, else of the site last run, else of Beijing.

    `home` (else EDULAKE_HOME, else `.edulake` at the root) holds a folder per site. Nothing is written.
    Raises UserError for a site without a settings file, a broken settings file, or a wrong environment value.
    """
    base = Path(home or os.environ.get("EDULAKE_HOME") or ROOT / ".edulake").expanduser().absolute()
    name = site or os.environ.get("EDULAKE_SITE") or _last_site(base) or DEFAULT_SITE
    if name not in known_sites():
        raise UserError(
            f"there is no site {name!r}.",
            f"Known sites: {', '.join(known_sites())}. A new one is a file infra/sites/<site>.yaml.",
        )
    declared = _read_site(SITES / f"{name}.yaml")
    own = base / name
    return Settings(
        site=name,
        home=own,
        landing=own / "landing",
        lake=_storage(own, name),
        releases=own / "releases",
        airflow=own / "airflow",
        secrets=own / "secrets",
        logs=own / "logs",
        run=own / "run",
        root=ROOT,
        feeds=tuple(declared["feeds"]),
        services=tuple(declared["services"]),
        title_zh=declared["title_zh"],
        title_en=declared["title_en"],
        timezone=declared["timezone"],
        is_synthetic=declared["synthetic"],
        input=declared.get("input"),
        real_input=tuple(declared["real_input"]),
        places=declared["places"],
        small_cell=declared["small_cell"],
        spark_url=_spark_url(),
    )


def _last_site(base: Path) -> str | None:
    note = base / "site"
    return (note.read_text(encoding="utf-8").strip() or None) if note.is_file() else None


def _storage(own: Path, site: str) -> Path:
    storage = os.environ.get("EDULAKE_STORAGE")
    if not storage:
        return own / "lake"
    if "://" in storage:
        raise UserError(
            f"EDULAKE_STORAGE={storage} is not a folder.",
            "Give a path; the lake of each site is then made in a folder below it.",
        )
    return Path(storage).expanduser().absolute() / site


def _spark_url() -> str | None:
    url = os.environ.get("EDULAKE_SPARK", "local")
    if url in ("", "local"):
        return None
    if not re.fullmatch(r"sc://[^/\s:]+(:\d+)?(/\S*)?", url):
        raise UserError(
            f"EDULAKE_SPARK={url} is neither `local` nor the address of a Spark Connect server.",
            "Leave it out to have one started, or give sc://<host>:<port>.",
        )
    return url


_SITE_KEYS: dict[str, type] = {
    "title_zh": str,
    "title_en": str,
    "timezone": str,
    "synthetic": bool,
    "feeds": list,
    "services": list,
    "input": str,
    "real_input": list,
    "places": dict,
    "small_cell": int,
}


def _read_site(path: Path) -> dict[str, Any]:
    try:
        declared = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        problems = _problems(declared)
    except (yaml.YAMLError, ValueError, OSError) as error:
        problems = [str(error)]
        declared = {}
    if problems:
        raise UserError(
            f"the settings file {path} is wrong: {'; '.join(problems)}.",
            "Put it right; infra/sites/beijing.yaml is a complete example.",
        )
    return declared


def _problems(declared: dict[str, Any]) -> list[str]:
    problems = [f"`{key}` is missing" for key in _SITE_KEYS if key not in (*declared, "input")]
    problems += [f"`{key}` is not a known setting" for key in declared if key not in _SITE_KEYS]
    problems += [
        f"`{key}` must be a {kind.__name__}"
        for key, kind in _SITE_KEYS.items()
        if key in declared and not isinstance(declared[key], kind)
    ]
    if problems:
        return problems
    problems += [f"there is no feed `{feed}`" for feed in declared["feeds"] if feed not in FEEDS]
    problems += [
        f"there is no service `{service}`" for service in declared["services"] if service not in SERVICES
    ]
    try:
        ZoneInfo(declared["timezone"])
    except (KeyError, ValueError, OSError):
        problems.append(f"there is no time zone `{declared['timezone']}`")
    return problems

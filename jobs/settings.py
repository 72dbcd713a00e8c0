"""A site's settings and folders, what the environment may say, and the one exception that people are meant to
read.

`load` only reads: the site's file (`jobs.site`) and the environment (`VARIABLES`). `Settings.prepare` makes
the folders, and is where a home that cannot be written or a full disk is noticed, before any work is done.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from jobs.files import keep_from_others, misread, parse_yaml, readable, replacing

if TYPE_CHECKING:
    from jobs.site import Door, KeptReleases, Places, Portal, RealInput, ReleaseRule, SignIn, Sql

ROOT = Path(__file__).resolve().parent.parent
SITES = ROOT / "infra" / "sites"
DEFAULT_SITE = "beijing"

# Another folder by the environment, for the whole process: to try a declaration before it is ours.
EXPECTATIONS = Path(os.environ.get("EDULAKE_EXPECTATIONS", ROOT / "expectations"))

_DECLARED = parse_yaml((EXPECTATIONS / "feeds.yaml").read_text(encoding="utf-8"))
FEEDS = tuple(_DECLARED["feeds"])
DOMAIN_OF_FEED: dict[str, str] = {feed: entry["domain"] for feed, entry in _DECLARED["feeds"].items()}
SERVICES = tuple(_DECLARED["services"])
FEEDS_OF_SERVICE: dict[str, tuple[str, ...]] = {
    service: tuple(entry["feeds"]) for service, entry in _DECLARED["services"].items()
}

# What the environment may say. Another variable that begins like these is most likely a slip.
VARIABLES = {
    "EDULAKE_HOME": "Folder that holds one folder per site. Default: `.edulake` in the checkout.",
    "EDULAKE_SITE": "Site of every command that names none. Default: the site last run, else `beijing`.",
    "EDULAKE_SITES": "Folder of further sites' files, which go before those of `infra/sites`.",
    "EDULAKE_SPARK": "`sc://host:port` of a Spark Connect server. Default: one is started on this machine.",
    "EDULAKE_STORAGE": "Folder for the tables; each site gets a folder in it. Default: `lake/` of the site.",
    "EDULAKE_HMAC_KEY_FILE": "File with the secret of a real site's pupil keys; readable by its owner only.",
    "EDULAKE_AIRFLOW_DB": "`postgresql://…` for Airflow's database, one per site. Default: SQLite.",
    "EDULAKE_POSTGRES_URL": "`postgresql://…` of the database that `publish postgres` fills.",
    "EDULAKE_EXPECTATIONS": "Another folder of declarations. Default: `expectations/`.",
    "EDULAKE_JAVA": "A Java executable, 17 or 21. Default: `JAVA_HOME`, `PATH`, then the packaged one.",
    "EDULAKE_MAVEN": "A mirror of Maven Central for Delta's jars, asked while the environment is made.",
    "EDULAKE_PYTHON": "A Python 3.11 for the environment. Default: the first one found.",
    "EDULAKE_BUILD_FILE": "Set for dbt by a build of marts: the file it writes.",
    "EDULAKE_BUILD_MEMORY": "Set for dbt by a build of marts: half of the free memory, 2 to 6 GB.",
    "EDULAKE_PINS_FILE": "Set for dbt by a build of marts: the table versions it reads.",
    "EDULAKE_AS_OF_DATE": "Set for dbt by a build of marts: the day that it shows.",
    "EDULAKE_KNOWN_AT": "Set for dbt by a build of marts: the moment of whose knowledge it is.",
}
# Variables of those that our own code sets, and nobody else should.
SET_BY_US = frozenset({"EDULAKE_BUILD_FILE", "EDULAKE_PINS_FILE", "EDULAKE_AS_OF_DATE", "EDULAKE_KNOWN_AT"})

# With less, a run would die in the middle of a Delta commit or of the marts; Beijing takes 1 GB.
LEAST_FREE_BYTES = 2 * 1024**3

# What a full or locked disk says, and what a person can do about it.
DISK_ERRORS = {
    errno.ENOSPC: ("the disk is full", "Free some space, or set EDULAKE_HOME to a folder on another disk"),
    errno.EDQUOT: ("your disk quota is used up", "Free some space, or set EDULAKE_HOME to another disk"),
    errno.EROFS: ("the disk is read-only", "Set EDULAKE_HOME to a folder that can be written"),
    errno.EACCES: ("you may not write there", "Set EDULAKE_HOME to a folder that you may write"),
    errno.EPERM: ("you may not write there", "Set EDULAKE_HOME to a folder that you may write"),
    errno.ENOENT: ("no folder can be made there", "set EDULAKE_HOME to a folder that can be written"),
    errno.ENOTDIR: ("a part of this path is a file", "Set EDULAKE_HOME to a folder that can be written"),
    errno.EEXIST: ("a file is in the way", "Move it away, or set EDULAKE_HOME to another folder"),
}
# Those that a person meets who may not write, or not even read, where a lake lies.
LOCKED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})


class UserError(Exception):
    """Something a person can put right: says what is wrong, and the way out. Shown without a traceback."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(f"{message}\n{way_out}")
        self.message = message
        self.way_out = way_out


class DamagedError(UserError):
    """A file of the lake or of a release that is gone or was changed; names it."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}.",
            "`./edulake lake check` lists all that is damaged; `./edulake lake repair` mends it.",
        )


@dataclass(frozen=True)
class Settings:
    """One site, where it lives and what is on; `jobs.site.Site` says what the settings of its own file mean.
    Paths need not exist before `prepare`.
    """

    site: str
    file: Path
    home: Path
    landing: Path
    lake: Path
    releases: Path
    airflow: Path
    secrets: Path
    logs: Path
    run: Path
    root: Path
    spark_url: str | None
    title_zh: str
    title_en: str
    language: Literal["zh", "en"]
    timezone: str
    feeds: tuple[str, ...]
    services: tuple[str, ...]
    is_synthetic: bool
    holds_persons: bool
    small_cell: int
    protection_width: int
    rows_in_process: int
    input: str | None
    real_input: tuple[RealInput, ...]
    places: Places
    sql: Sql
    kept_releases: KeptReleases
    release: ReleaseRule
    sign_in: SignIn | None
    portal: Portal
    door: Door
    jurisdictions: tuple[str, ...]
    districts: Path | None
    senders: Path | None
    calendar: Path | None
    map: Path | None

    @property
    def restricted(self) -> Path:
        """The part of the lake where values of persons lie."""
        return self.lake / "restricted"

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The site's settings file and the tables and map that it names."""
        named = (self.districts, self.senders, self.calendar, self.map)
        return (self.file, *(file for file in named if file is not None))

    @property
    def gaps(self) -> tuple[str, ...]:
        """What the site does not bring of its own though its services ask for it, and what stands in."""
        services = set(self.services)
        without = (
            (
                self.districts,
                bool(services & {"fitness", "safety", "evaluation"}),
                "no `districts`: any district code is kept as sent, and has no name",
            ),
            (self.calendar, "safety" in services, "no `calendar`: Monday to Friday count as school days"),
            (
                self.map,
                "places" in services and self.districts is not None,
                "no `map`: the places report shows none",
            ),
        )
        return tuple(words for brought, is_asked, words in without if is_asked and brought is None)

    def command(self, *words: str) -> str:
        """A command for this site as a person can paste it into a shell."""
        return command_line(*words, "--site", self.site)

    def prepare(self) -> Settings:
        """Make every folder of the site, for its owner alone, and take from others what an earlier version or
        a copy by hand let them read. Doing it again changes nothing.

        Raises UserError when a folder cannot be made or written, or less than `LEAST_FREE_BYTES` are free.
        """
        folders = (self.landing, self.lake, self.releases, self.airflow, self.logs, self.run)
        for folder in (self.home, *folders, self.secrets, self.restricted):
            with writing(folder):
                folder.mkdir(parents=True, exist_ok=True)
                # Root passes every permission bit and a mount may still refuse: only a file tells.
                with tempfile.TemporaryFile(dir=folder) as probe:
                    probe.write(b"edulake")
        was_open = any(folder.stat().st_mode & 0o077 for folder in (self.home, self.lake))
        # Files are copied into landing by hand, too, with whatever mode they had.
        for folder in (self.home, self.lake) if was_open else (self.landing,):
            keep_from_others(folder)
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE_BYTES:
            raise UserError(
                f"only {free / 1024**3:.1f} GB are free at {self.home}; "
                f"a run needs {LEAST_FREE_BYTES / 1024**3:.0f} GB.",
                "Free some space, or set EDULAKE_HOME to another disk; docs/runbooks/full-disk.md says how.",
            )
        return self

    def remember(self) -> None:
        """Make this the site of every later command that names none."""
        note = self.home.parent / "site"
        with writing(note):
            note.parent.mkdir(parents=True, exist_ok=True)
            with replacing(note) as fresh:
                fresh.write_text(self.site + "\n", encoding="utf-8")


def command_line(*words: str) -> str:
    """A command as a person can paste it into a shell, in the checkout."""
    return shlex.join(["./edulake", *words])


@contextmanager
def writing(path: Path, *, of_lake: bool = True) -> Iterator[None]:
    """Turn a full or locked disk met while writing `path` into a UserError; let other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        reason = DISK_ERRORS[error.errno][0]
        raise UserError(
            f"cannot write {error.filename or path}: {reason}.", way_out(error, of_lake=of_lake)
        ) from error


def way_out(error: OSError, *, of_lake: bool | None = None) -> str:
    """What to do about one of `DISK_ERRORS`: another home where it met a lake, else another place.

    `of_lake`: whether it did; None: where it lies below the home of this process.
    """
    if of_lake is None:
        of_lake = not error.filename or Path(error.filename).absolute().is_relative_to(_base())
    words = f"{DISK_ERRORS[error.errno or 0][1]}."
    if of_lake:
        return words
    return words.replace("Set EDULAKE_HOME to", "Give").replace("set EDULAKE_HOME to", "give")


def _base(home: Path | str | None = None) -> Path:
    """The folder of all sites."""
    return Path(home or os.environ.get("EDULAKE_HOME") or ROOT / ".edulake").expanduser().absolute()


# The site's own code lists by name, once a site is loaded; a process works for the site that it loaded last.
_own_lists: dict[str, Path] | None = None


def own_code_list(name: str) -> Path | None:
    """The file of a code list that the site of this process brings itself, or None."""
    if _own_lists is None:
        load(os.environ.get("EDULAKE_SITE") or DEFAULT_SITE)
    return (_own_lists or {}).get(name)


def _site_files() -> dict[str, Path]:
    """Site -> its settings file; a file of EDULAKE_SITES goes before one of the checkout."""
    own = os.environ.get("EDULAKE_SITES")
    folders = [SITES, *([Path(own).expanduser().absolute()] if own else [])]
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def known_sites() -> list[str]:
    """The sites that have a settings file, sorted."""
    return sorted(_site_files())


def input_packages() -> list[str]:
    """The packages that write a site's input, of all sites, sorted; a broken site file names none."""
    found = set()
    for path in _site_files().values():
        with suppress(yaml.YAMLError, ValueError, OSError):
            declared = parse_yaml(path.read_text(encoding="utf-8"))
            found |= {declared["input"]} if isinstance(declared, dict) and declared.get("input") else set()
    return sorted(found)


def unknown_variables() -> list[str]:
    """A sentence on each variable of the environment that looks like ours and is none."""
    unknown = sorted(name for name in os.environ if name.startswith("EDULAKE_") and name not in VARIABLES)
    if not unknown:
        return []
    from jobs.site import nearest

    return [
        f"nothing reads the environment variable {name}{nearest(name, list(VARIABLES))}" for name in unknown
    ]


def load(site: str | None = None, home: Path | str | None = None) -> Settings:
    """The settings of `site`, else of EDULAKE_SITE, else of the site last run, else of Beijing.

    `home` (else EDULAKE_HOME, else `.edulake` at the root) holds a folder per site. Nothing is written; code
    lists of the site (`own_code_list`) are from now on those of this process. Raises UserError for a site
    without a settings file, a broken settings file (with every mistake in it), or a wrong environment value.
    """
    # Pydantic takes a quarter of a second to import, and reading processes never load a site.
    from jobs import site as site_file

    base = _base(home)
    files = _site_files()
    name = site or os.environ.get("EDULAKE_SITE") or _last_site(base) or DEFAULT_SITE
    if name not in files:
        raise UserError(
            f"there is no site {name!r}{site_file.nearest(name, list(files))}.",
            f"Known sites: {', '.join(sorted(files))}. A new one is a file infra/sites/<site>.yaml, or "
            "<site>.yaml in the folder EDULAKE_SITES.",
        )
    declared, problems = site_file.read(files[name], FEEDS, SERVICES, EXPECTATIONS / "codes")
    if declared is None:
        raise UserError(
            "\n  ".join((f"the settings file {files[name]} is wrong:", *problems)),
            "Put it right; infra/sites/beijing.yaml is a complete example.",
        )
    own, lake = base / name, _storage(base / name, name)
    _check_folders(own, lake)
    lists = {code: getattr(declared, setting) for setting, code in site_file.CODE_LISTS.items()}
    global _own_lists
    _own_lists = {code: file for code, file in lists.items() if file is not None}
    return Settings(
        site=name,
        file=files[name],
        home=own,
        landing=own / "landing",
        lake=lake,
        releases=own / "releases",
        airflow=own / "airflow",
        secrets=own / "secrets",
        logs=own / "logs",
        run=own / "run",
        root=ROOT,
        spark_url=_spark_url(),
        is_synthetic=declared.synthetic,
        holds_persons=declared.persons,
        **{setting: getattr(declared, setting) for setting in site_file.SAME_IN_SETTINGS},
    )


def _check_folders(home: Path, lake: Path) -> None:
    """Raises UserError for a folder whose name a library of ours would misread, before anything is made."""
    folders = {
        "the checkout": (ROOT, "move the checkout to"),
        "EDULAKE_HOME": (home, "set EDULAKE_HOME to"),
        "EDULAKE_STORAGE": (lake, "set EDULAKE_STORAGE to"),
        "TMPDIR": (Path(os.environ.get("TMPDIR", "/tmp")), "set TMPDIR to"),
    }
    for what, (folder, way_out) in folders.items():
        # Without the letter of a drive.
        inner = folder.as_posix().removeprefix(folder.drive)
        found = misread(folder) or (":" if folder is ROOT and ":" in inner else None)
        if found:
            raise UserError(
                f"{what} is {readable(str(folder))}, and `{readable(found)}` in a folder's name stands for "
                "something else in Delta, DuckDB, Spark or Airflow.",
                f"Rename that folder, or {way_out} one without it. A link to it does not help.",
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

"""Delta's jars: fetched once, checked against the checksums in the repository, kept with the environment.

The Python wheel delta-spark has none. These four are all that Delta in Spark needs: what they depend
on is among Spark's own jars. `python -m jobs.spark.jars` fetches what is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from jobs.settings import ROOT, UserError, writing

CHECKSUMS = ROOT / "infra" / "bootstrap" / "jars.sha256"
FOLDER = Path(sys.prefix) / "edulake" / "jars"

# The one outside address of the project; EDULAKE_MAVEN names a mirror instead.
REPOSITORY = "https://repo1.maven.org/maven2"


def declared() -> dict[str, str]:
    """File name → SHA-256, of every jar that is needed."""
    lines = CHECKSUMS.read_text(encoding="ascii").splitlines()
    return {name: sha256 for sha256, name in (line.split() for line in lines if line)}


def check(folder: Path | None = None) -> list[Path]:
    """The jars, each proved by its checksum. Raises UserError for a missing or a changed one."""
    folder = folder or FOLDER
    for name, expected in declared().items():
        jar = folder / name
        if not jar.is_file():
            raise UserError(
                f"Delta's jar {name} is missing in {folder}.",
                "Run `python -m jobs.spark.jars` in the environment once with a network.",
            )
        _compare(jar, expected, f"Delete {jar} and run the command again with a network: it is fetched anew.")
    return [folder / name for name in declared()]


def fetch(folder: Path | None = None) -> int:
    """Fetch the missing jars; the number of them. Files appear only when complete and right.

    Raises UserError if the repository cannot be reached, a checksum is wrong, or the disk is full.
    """
    folder = folder or FOLDER
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    missing = {name: sha256 for name, sha256 in declared().items() if not (folder / name).is_file()}
    for name, expected in missing.items():
        url = _url(name)
        print(f"edulake: fetching {name}", file=sys.stderr)
        partial = folder / f"{name}.{os.getpid()}"
        try:
            with writing(partial):
                partial.write_bytes(_download(url))
            _compare(
                partial,
                expected,
                f"It came from {url}. Try again; if EDULAKE_MAVEN names a mirror, check that mirror.",
            )
            partial.replace(folder / name)
        finally:
            partial.unlink(missing_ok=True)
    check(folder)
    return len(missing)


def _url(name: str) -> str:
    base = os.environ.get("EDULAKE_MAVEN", REPOSITORY).rstrip("/")
    artifact, version = name.removesuffix(".jar").rsplit("-", 1)
    return f"{base}/io/delta/{artifact}/{version}/{name}"


def _download(url: str) -> bytes:
    for attempt in range(3):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            problem: Exception = error
            if error.code < 500 and error.code != 429:
                break
        except (OSError, urllib.error.URLError) as error:
            problem = error
        if attempt < 2:
            time.sleep(0.5 * 2**attempt)
    raise UserError(
        f"could not fetch {url}: {problem}.",
        "They are needed once: run the command again with a network, or name a mirror in EDULAKE_MAVEN.",
    )


def _compare(jar: Path, expected: str, way_out: str) -> None:
    with jar.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != expected:
        raise UserError(
            f"the checksum of {jar} is wrong: expected {expected}, found {found}.",
            way_out,
        )


def _main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="default: that of the environment")
    try:
        fetch(parser.parse_args().folder)
    except UserError as error:
        print(f"edulake: {error.message}\n{error.way_out}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())

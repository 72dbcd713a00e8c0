"""Files that are whole or not there: the one way in which this project writes a file that others read.

Also what a file from outside may be named, and how large it may be.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from jobs import UMASK_OF_CALLER

# The mode of a file that a person asks for by name, outside the lake: what his shell gives any file.
OUTPUT_MODE = 0o666 & ~UMASK_OF_CALLER

# What a file from outside, or all that it unpacks to, may hold; a larger one is refused with its way out.
LARGEST_FILE = 512 * 1024**2

# What stands for something else where a library opens what lies below a folder of that name: delta-rs takes
# `%41` for A and breaks at brackets, `|` and `^`, DuckDB takes `*` and `?` for patterns, Spark `{}`, and all
# take a backslash for a slash. Control characters and bytes that are not UTF-8 have no address at all.
_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[][{}*?|^\\\x00-\x1f\x7f\ud800-\udfff]")

# What a name may have on the file systems of today.
_LONGEST_NAME = 255
_UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@contextmanager
def replacing(target: Path, mode: int = 0o600) -> Iterator[Path]:
    """A hidden file of its own beside `target`, to be written in full; then it takes the target's name.

    Any number of processes and threads may do so at once: the last to end wins, nobody reads half a file.
    Only the owner can open it, unless `mode` lets others as soon as it has its name. If the block raises,
    `target` is as it was.
    """
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except FileNotFoundError as error:
        if not target.parent.is_dir():
            raise
        # What the system shows as files below /proc takes none.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target)) from error
    os.close(handle)
    fresh = Path(name)
    try:
        yield fresh
        fresh.chmod(mode)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def parse_yaml(text: str) -> Any:
    """The content of a YAML document. Raises yaml.YAMLError.

    By libyaml where the package has it: in Python, our declarations take most of a short command's time.
    """
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def keep_from_others(folder: Path) -> None:
    """Leave a folder and all in it to the owner alone. What belongs to somebody else stays as it is."""
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError, PermissionError):
            mode = path.lstat().st_mode
            if mode & 0o077 and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & 0o700)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Have a file or folder on the disk before this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def readable(name: str) -> str:
    """A name as people can read it: bytes that are not UTF-8 are GBK, else in percent notation, as is every
    control character. A readable name stays as it is.
    """
    if name.isprintable():
        return name
    data = os.fsencode(name)
    for encoding in ("utf-8", "gbk"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in data)
    shown = "".join(_percent(c) if unicodedata.category(c) in _UNSHOWN else c for c in text)
    return shown if len(shown.encode()) <= _LONGEST_NAME else _shortened(shown)


def _shortened(name: str) -> str:
    """The begin of a name that became too long, with a digest of all of it and its ending."""
    end = f"~{hashlib.sha256(name.encode()).hexdigest()[:8]}{Path(name).suffix[:20]}"
    begin = name.encode()[: _LONGEST_NAME - len(end.encode())]
    return begin.decode(errors="ignore") + end


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8"))


def misread(folder: Path) -> str | None:
    """What in the name of a folder, or of one above it, keeps a lake from lying there; None for a sound one.
    A link counts with the folder that it leads to.
    """
    for path in (folder, folder.resolve()):
        if found := _MISREAD.search(path.as_posix()):
            return found[0]
        # Airflow puts the values of variables into every path of its settings.
        for name in re.findall(r"\$\w+", str(path), re.ASCII):
            if os.path.expandvars(name) != name:
                return str(name)
    return None


def is_hidden(name: str) -> bool:
    """Whether a file's name is one that systems and office programs give to their own files."""
    return name.startswith((".", "~$")) or name.lower() in {"thumbs.db", "desktop.ini"}

"""A multipart body written to files as it comes: never whole in memory, and never more than is allowed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from jobs.declare import reasons
from jobs.files import fsync, readable
from jobs.site import Door
from portal.problems import ProblemError

_MEGABYTE = 1024**2
_LONGEST_FIELD = 4096
_MOST_FIELDS = 20
# What comes is parsed and written in pieces of at least this.
_PIECE = 256 * 1024


@dataclass
class Spooled:
    """One file as it came. `reason`: why it is refused already; then nothing of it was kept."""

    name: str
    path: Path
    sha256: str = ""
    byte_count: int = 0
    reason: str | None = None


@dataclass
class Upload:
    """The fields and files of one body."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[Spooled] = field(default_factory=list)


async def receive(request: Request, folder: Path, bounds: Door) -> Upload:
    """Write the files of a request below `folder`, on the disk when this returns.

    A file over its limit is marked and not kept. Raises ProblemError for a body that is no form, is cut off,
    or has more files or bytes than a hand-in may have.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise ProblemError(
            415, "not-a-form", "请以表单方式上传文件", "send multipart/form-data with the files in it"
        )
    form = _Form(folder, bounds, boundary)
    total, waiting = 0, bytearray()
    async for piece in request.stream():
        total += len(piece)
        if total > bounds.total_mb * _MEGABYTE:
            raise ProblemError(
                413,
                "too-large",
                f"一次报送不能超过 {bounds.total_mb} MB，请分几次报送",
                f"one hand-in has at most {bounds.total_mb} MB; send the files in several",
            )
        waiting += piece
        if len(waiting) >= _PIECE:
            await run_in_threadpool(form.write, bytes(waiting))
            waiting.clear()
    await run_in_threadpool(form.write, bytes(waiting))
    await run_in_threadpool(form.end)
    return form.upload


class _Form:
    """Takes the parts of a form as the parser finds them."""

    def __init__(self, folder: Path, bounds: Door, boundary: bytes) -> None:
        self.upload = Upload()
        self._folder, self._bounds = folder, bounds
        self._header = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field: tuple[str, bytearray] | None = None
        self._stream: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._is_whole = False
        self._names: set[str] = set()
        calls = ("part_begin", "header_field", "header_value", "header_end", "headers_finished", "part_data")
        callbacks = {f"on_{name}": getattr(self, f"_{name}") for name in (*calls, "part_end", "end")}
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise _broken() from error

    def end(self) -> None:
        self._close()
        if not self._is_whole:
            raise _broken()

    def _part_begin(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) > _LONGEST_FIELD:
            raise _broken()

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _headers_finished(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"filename" in told or b"filename*" in told:
            # What a browser sends for a form without a file.
            name = _text(told.get(b"filename", b""))
            self._begin_file(name)
        else:
            if len(self.upload.fields) >= _MOST_FIELDS:
                raise _broken()
            self._field = (_text(told.get(b"name", b"")), bytearray())

    def _begin_file(self, name: str) -> None:
        if len(self.upload.files) >= self._bounds.files:
            raise ProblemError(
                413,
                "too-many-files",
                f"一次最多报送 {self._bounds.files} 个文件，请分几次报送",
                f"one hand-in has at most {self._bounds.files} files; send them in several",
            )
        shown = self._free(_file_name(name))
        self.upload.files.append(Spooled(shown, self._folder / f"{len(self.upload.files)}.part"))
        self._digest = hashlib.sha256()
        self._stream = self.upload.files[-1].path.open("wb")

    def _free(self, name: str) -> str:
        """The name, with a number where an earlier file of this hand-in has it."""
        free, number = name, 1
        while free.casefold() in self._names:
            number += 1
            stem, ending = Path(name).stem, Path(name).suffix
            free = f"{stem}~{number}{ending}"
        self._names.add(free.casefold())
        return free

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            self._field[1].extend(data[start:end])
            if len(self._field[1]) > _LONGEST_FIELD:
                raise _broken()
        if self._stream is None:
            return
        file, piece = self.upload.files[-1], data[start:end]
        file.byte_count += len(piece)
        if file.byte_count > self._bounds.file_mb * _MEGABYTE:
            file.reason = reasons.text("file_too_large", megabytes=self._bounds.file_mb)
            self._stream.truncate(0)
        else:
            self._stream.write(piece)
            self._digest.update(piece)

    def _part_end(self) -> None:
        if self._field is not None:
            self.upload.fields[self._field[0]] = _text(bytes(self._field[1])).strip()
            self._field = None
        self._close()

    def _end(self) -> None:
        self._is_whole = True

    def _close(self) -> None:
        if self._stream is None:
            return
        self._stream.close()
        self._stream = None
        file = self.upload.files[-1]
        file.sha256 = self._digest.hexdigest()
        if file.byte_count == 0:
            file.reason = reasons.text("file_empty")
        if file.reason:
            file.path.unlink()
        else:
            fsync(file.path)
            # What is landed later is found by what it holds.
            file.path = file.path.rename(self._folder / file.sha256)
            fsync(self._folder)


def _broken() -> ProblemError:
    return ProblemError(
        400, "broken-form", "上传不完整或格式有误，请重新上传", "the form is cut off or broken"
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _file_name(name: str) -> str:
    """The last part of a name, as a file may have it: readable, not hidden, no longer than a name can be."""
    last = readable(name.replace("\\", "/").rsplit("/", 1)[-1]).strip().lstrip(".~$ ")
    last = "".join("_" if c in "/\0" else c for c in last) or "文件"
    stem, ending = Path(last).stem, Path(last).suffix
    ending = ending[:20]
    while len((stem + ending).encode()) > 200:
        stem = stem[:-1]
    return stem + ending

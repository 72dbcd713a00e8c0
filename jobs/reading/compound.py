"""Compound files (OLE): the container of old office programs, with streams as a disk has files.

Workbooks of Excel 97 and of WPS (xls, et) are such files; so are old letters, and any office file that has a
password.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Compound:
    """One compound file: the names of what lies in it, and its streams.

    Raises struct.error, IndexError or ValueError for a damaged one.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        sizes = struct.unpack_from("<HH", data, 0x1E)
        self._size, self._small_size = (1 << min(shift, 16) for shift in sizes)
        directory, _, self._cutoff, self._small_begin, _, more, _ = struct.unpack_from("<7i", data, 0x30)
        self._table = self._sectors_listed(more)
        self._root = b""
        # Name -> first sector and length, in the order of the directory.
        self.entries: dict[str, tuple[int, int]] = {}
        entries = self._whole(directory)
        for at in range(0, len(entries) - 127, 128):
            end = at + max(struct.unpack_from("<H", entries, at + 64)[0] - 2, 0)
            name = entries[at:end].decode("utf-16-le").lower()
            begin, length = struct.unpack_from("<iI", entries, at + 116)
            if entries[at + 66] == 5:
                self._root = self._whole(begin)
            elif name:
                self.entries.setdefault(name, (begin, length))

    def stream(self, *names: str) -> bytes:
        """Return the first stream of one of these names. Raises ValueError where there is none."""
        found = next((place for name, place in self.entries.items() if name in names), None)
        if found is None:
            raise ValueError
        begin, length = found
        if length >= self._cutoff:
            return self._whole(begin)[:length]
        links = [n for s in self._chain(self._small_begin, self._table) for n in self._numbers(s)]
        size = self._small_size
        parts = (self._root[n * size : (n + 1) * size] for n in self._chain(begin, links))
        return b"".join(parts)[:length]

    def _sectors_listed(self, more: int) -> list[int]:
        """The table of sectors: of each the one that follows it."""
        listed = list(struct.unpack_from("<109i", self._data, 0x4C))
        seen: set[int] = set()
        while more >= 0 and more not in seen:
            seen.add(more)
            *numbers, more = self._numbers(more)
            listed += numbers
        table: list[int] = []
        # Each sector has one number in the table.
        for number in listed[: len(self._data) // self._size + 1]:
            if number >= 0:
                table += self._numbers(number)
        return table

    def _sector(self, number: int) -> bytes:
        return self._data[(number + 1) * self._size : (number + 2) * self._size]

    def _numbers(self, sector: int) -> tuple[int, ...]:
        return struct.unpack(f"<{self._size // 4}i", self._sector(sector))

    def _chain(self, begin: int, links: list[int]) -> Iterator[int]:
        passed = 0
        while begin >= 0:
            yield begin
            begin, passed = links[begin], passed + 1
            if passed > len(links):
                raise ValueError

    def _whole(self, begin: int) -> bytes:
        return b"".join(self._sector(number) for number in self._chain(begin, self._table))

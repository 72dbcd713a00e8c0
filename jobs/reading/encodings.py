"""The encoding of a text file, decided by trial: byte-order mark, UTF-16 without one, strict UTF-8, GB18030.

One file has one encoding. A file of two encodings is refused with the line where the other one begins, since
half of it would read as nonsense.
"""

from __future__ import annotations

import codecs
import re

from jobs.reading.sheet import NoTableError, UnreadableError

# Text is tried in pieces of this size, so that memory stays bounded.
PIECE = 8 * 1024**2

# A line of UTF-8: two or more Chinese characters or full-width signs, and nothing that is not UTF-8.
_UTF8_LINE = re.compile(
    rb"(?:^|\n)(?:[\x00-\x09\x0b-\x7f]*(?:[\xe3-\xe9][\x80-\xbf]{2}|\xef[\xbc-\xbf][\x80-\xbf])){2,}"
    rb"[\x00-\x09\x0b-\x7f]*(?=\n|$)"
)
# A line of nothing but common characters of GB 2312 is no evidence: six of its bytes may happen to be UTF-8.
_COMMON_GB_LINE = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xf7][\xa1-\xfe])*")


def decoded(data: bytes) -> tuple[bytes, str, str]:
    """Return the text's bytes, its encoding, and the codec that reads these bytes: UTF-8 or GB18030.

    Raises UnreadableError with the line that is in another encoding, NoTableError for bytes that are no text.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            if encoding == "utf-8-sig":
                _refuse_undecodable(data, "utf-8", "not_utf8")
                return _without_nulls(data[3:]), encoding, "utf-8"
            return _recoded(data, encoding), encoding, "utf-8"
    # Delimiters, digits and line ends of UTF-16 are half zeros, all on one side.
    high, low = data[0:4096:2].count(0), data[1:4096:2].count(0)
    if max(high, low) >= max(2, len(data[:4096]) / 25) and max(high, low) >= 4 * min(high, low):
        encoding = "utf-16-le" if low > high else "utf-16-be"
        return _recoded(data, encoding), encoding, "utf-8"
    if _first_error(data, "utf-8") is None:
        return _without_nulls(data), "utf-8", "utf-8"
    _refuse_two_encodings(data)
    _refuse_undecodable(data, "gb18030", "unknown_encoding")
    return _without_nulls(data), "gb18030", "gb18030"


def _recoded(data: bytes, encoding: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise UnreadableError("not_utf16", line=line, encoding=encoding.upper()) from error
    # Binary files are full of zeros, too; a table has lines and nothing but text in them.
    if "\x00" in text or not re.search(r"[\r\n,\t;|]", text):
        raise NoTableError("not_text")
    return text.encode("utf-8")


def _without_nulls(data: bytes) -> bytes:
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise UnreadableError("null_byte", line=line)
    return data


def _first_error(data: bytes, codec: str) -> int | None:
    """Where the bytes stop being text of this encoding, or null; in pieces, so that memory stays bounded."""
    decoder = codecs.getincrementaldecoder(codec)()
    done = 0
    for at in range(0, max(len(data), 1), PIECE):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(data[at : at + PIECE], at + PIECE >= len(data))
        except UnicodeDecodeError as error:
            return max(done - held, 0) + error.start
        done = at + PIECE
    return None


def _refuse_undecodable(data: bytes, codec: str, code: str) -> None:
    error = _first_error(data, codec)
    if error is not None:
        line = data.count(b"\n", 0, error) + 1
        raise UnreadableError(code, line=line)


def _refuse_two_encodings(data: bytes) -> None:
    """A file that is not UTF-8 throughout and has lines that are: refused with the first of the fewer."""
    found = _UTF8_LINE.search(data)
    if found is None:
        return
    lines = data.split(b"\n")
    of_utf8 = [
        n
        for n, line in enumerate(lines, 1)
        if _UTF8_LINE.fullmatch(line) and not _COMMON_GB_LINE.fullmatch(line)
    ]
    others = [n for n, line in enumerate(lines, 1) if _is_no_utf8(line)]
    if not of_utf8 or not others:
        return
    # Only the last line fails: the file was cut off within a character.
    if others == [len(lines)]:
        raise UnreadableError("cut_within_character", line=len(lines))
    fewer, name, most = (
        (of_utf8, "UTF-8", "GB18030") if len(of_utf8) <= len(others) else (others, "GB18030", "UTF-8")
    )
    raise UnreadableError("two_encodings", line=fewer[0], encoding=name, most=most, count=len(fewer))


def _is_no_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False

"""A declared pattern in words, so that no sender ever reads a regular expression."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["zh", "en"]

# Between the items of a list.
LISTED: dict[Language, str] = {"zh": "、", "en": ", "}

_ATOM = re.compile(r"\[([^\]]+)\]|\(([^()]+)\)|(\\d)|([A-Za-z0-9_./ -])")
_COUNT = re.compile(r"\{(\d+)(?:,(\d+))?\}|([?*+])")

_KINDS: dict[str, dict[Language, tuple[str, str]]] = {
    # What stands in brackets -> its name for one and for several.
    "0-9": {"zh": ("数字", "数字"), "en": ("digit", "digits")},
    "A-Z": {"zh": ("大写字母", "大写字母"), "en": ("capital letter", "capital letters")},
    "a-z": {"zh": ("小写字母", "小写字母"), "en": ("small letter", "small letters")},
}
_MONTH = "0[1-9]|1[0-2]"


def pattern_words(pattern: str, language: Language) -> str:
    """A declared pattern in words: `[GJL][0-9]{17}[0-9X]` -> `1位 G/J/L, 17位数字, 1位数字或X`.

    What this small reader does not know is described by where its form is shown.
    """
    parts: list[str] = []
    at, literal = 0, ""
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        if not atom:
            return _UNKNOWN[language]
        at = atom.end()
        count = _COUNT.match(pattern, at)
        if count:
            at = count.end()
        if atom[4] and not count:
            literal += atom[4]
            continue
        if literal:
            parts.append(f"“{literal}”")
            literal = ""
        said = _alternatives(atom[2], language) if atom[2] else None
        said = said or (
            _counted(atom[1] or atom[3] or atom[4] or "", count, language) if not atom[2] else None
        )
        if said is None:
            return _UNKNOWN[language]
        parts.append(said)
    if literal:
        parts.append(f"“{literal}”")
    return ", ".join(parts)


_UNKNOWN: dict[Language, str] = {
    "zh": "报送模板“填写说明”中的格式",
    "en": "the form shown in the template's guide",
}


def _counted(inside: str, count: re.Match[str] | None, language: Language) -> str | None:
    """One class of characters and how many of them; None for a class that has no words."""
    is_one = count is None or count[1] == "1"
    if inside == r"\d":
        inside = "0-9"
    names = []
    for kind, words in _KINDS.items():
        if kind in inside:
            names.append(words[language][0 if is_one else 1])
            inside = inside.replace(kind, "")
    if not (inside.isalnum() or not inside):
        return None
    if inside:
        names.append("/".join(inside))
    joined = ("或" if language == "zh" else " or ").join(names)
    if language == "zh":
        return f"{_how_many(count, language)}{'' if joined[0] >= chr(0x4E00) else ' '}{joined}"
    return f"{_how_many(count, language)}{' of' if '/' in joined else ''} {joined}"


def _how_many(count: re.Match[str] | None, language: Language) -> str:
    if language == "zh":
        if count is None:
            return "1位"
        if count[3]:
            return {"?": "至多1位", "*": "任意位", "+": "至少1位"}[count[3]]
        return f"{count[1]}至{count[2]}位" if count[2] else f"{count[1]}位"
    if count is None:
        return "1"
    if count[3]:
        return {"?": "at most 1", "*": "any number of", "+": "at least 1"}[count[3]]
    return f"{count[1]} to {count[2]}" if count[2] else count[1]


def _alternatives(inside: str, language: Language) -> str | None:
    """Two-digit months; a choice of plain words."""
    if inside == _MONTH:
        return "月份 (01至12)" if language == "zh" else "the month (01 to 12)"
    choices = inside.split("|")
    either = " 或 " if language == "zh" else " or "
    return either.join(f"“{c}”" for c in choices) if all(c.isalnum() for c in choices) else None

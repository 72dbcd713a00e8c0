"""How forms write what they ask: `expectations/request_forms.yaml`, compared as headings are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jobs.declare import EXPECTATIONS, heading_key
from jobs.files import parse_yaml


@dataclass(frozen=True)
class Words:
    """The words of forms, each as `heading_key` compares it; longer ones first."""

    item_headings: frozenset[str]
    form_words: frozenset[str]
    signs: tuple[str, ...]
    bracket_words: frozenset[str]
    leading: tuple[str, ...]
    trailing: tuple[str, ...]
    subjects: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]
    counts: tuple[str, ...]
    shares: tuple[str, ...]
    connectors: tuple[str, ...]
    by_words: tuple[str, ...]
    by_known: frozenset[str]
    finer: tuple[str, ...]
    synonyms: Mapping[str, tuple[str, ...]]
    in_part: Mapping[str, str]
    values: Mapping[str, tuple[str, ...]]
    events: Mapping[str, tuple[str, ...]]


@cache
def load() -> Words:
    """The words as declared."""
    told: dict[str, Any] = parse_yaml((EXPECTATIONS / "request_forms.yaml").read_text("utf-8"))

    def longest_first(words: list[str]) -> tuple[str, ...]:
        return tuple(sorted({narrow(word) for word in words}, key=lambda word: (-len(word), word)))

    made: dict[str, Any] = {
        name: {key: longest_first(own) for key, own in words.items()}
        if name in _MAPS
        else longest_first(words)
        for name, words in told.items()
        if name not in ("synonyms", "in_part")
    }
    made |= {name: frozenset(made[name]) for name in _SETS}
    made["in_part"] = told["in_part"]
    made["synonyms"] = {
        heading_key(word): tuple(map(heading_key, same if isinstance(same, list) else [same]))
        for word, same in told["synonyms"].items()
    }
    return Words(**made)


_MAPS = ("subjects", "values", "events")
_SETS = ("item_headings", "form_words", "bracket_words", "by_known")


def narrow(word: str) -> str:
    """A short word as it is compared: `heading_key`, but a word that is a unit (人数, 数) stays whole."""
    return heading_key(word) or word


_NUMBER = re.compile(
    r"^\s*(?:第[一二三四五六七八九十]+[项条款类]"
    r"|[(（\[【]?(?:\d{1,3}(?:[.．]\d{1,2})*|[一二三四五六七八九十]{1,3}|[a-zA-Z])[)）\]】]?[.．、:：)）]"
    r"|[(（](?:\d{1,2}|[一二三四五六七八九十]{1,3})[)）]"
    r"|[①-⑳⑴-⒇❶-❿★☆*＊●○◆▲■□—–-]+)\s*"
)
_BARE_NUMBER = re.compile(r"^\s*\d{1,3}\s+(?=\D)")


def cleaned(text: str) -> str:
    """A cell's words without the number before them, marks, and the colon behind them."""
    words = " ".join(str(text).split())
    for _ in range(3):
        shorter = _BARE_NUMBER.sub("", _NUMBER.sub("", words))
        if shorter == words:
            break
        words = shorter
    return words.strip(" *＊:：_＿—…。.；;，,、")

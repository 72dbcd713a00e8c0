"""What stays when a pupil is forgotten or corrected: keyed tombstones, and what rewritten files were before.

All lies in `secrets/forgotten.json` (0600), outside the lake, so that it outlasts a lake that is made again
from landing. A tombstone is an HMAC under a key of its own: it tells that a number is to be refused, and
leads nobody to the number. A correction is kept under the HMAC of the wrong value. A rewritten file goes by
the hash and the receipt of the file that was sent, so both hold, and the same bytes sent again are known.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobs.files import replacing
from jobs.lake import identity
from jobs.settings import Settings

# What stands where a pupil's number or name was typed beside the data.
MARK = "已删除"


@dataclass
class Forgotten:
    """The tombstones of a site with their key.

    `corrections`: HMAC of a wrong value -> the right one. `aliases`: hash of a rewritten file -> hash of what
    was sent. `renamed`: receipt id by a file's name of today -> the one that it goes by. `withheld`: hash of
    what was sent -> lines that were taken out before anything was read from it.
    """

    key: str = field(default_factory=lambda: secrets.token_hex(32))
    tombstones: list[str] = field(default_factory=list)
    corrections: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, int] = field(default_factory=dict)

    @property
    def lookup(self) -> bytes:
        """The key by which a tombstone is made; no rotation changes it, for nobody could make them again."""
        return bytes.fromhex(self.key)


def load(settings: Settings) -> Forgotten:
    """What the site has forgotten so far; nothing, with a fresh key, before the first time."""
    try:
        return Forgotten(**json.loads(_file(settings).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Forgotten()


def add(
    settings: Settings,
    identifiers: Iterable[tuple[str, str]] = (),
    aliases: Mapping[str, str] | None = None,
    corrections: Mapping[tuple[str, str], str] | None = None,
    renamed: Mapping[str, str] | None = None,
    withheld: Mapping[str, int] | None = None,
) -> None:
    """Add tombstones of identifiers (kind, identifier), corrections of (kind, wrong value), and what became
    of files. A second time changes nothing.
    """
    known = load(settings)
    made = {identity.lookup_hmac(kind, identifier, known.lookup) for kind, identifier in identifiers}
    known.tombstones = sorted({*known.tombstones, *made})
    for (kind, wrong), right in (corrections or {}).items():
        known.corrections[identity.lookup_hmac(kind, wrong, known.lookup)] = right
    for fresh, sent in (aliases or {}).items():
        # A file rewritten twice still goes by what was sent.
        known.aliases[fresh] = known.aliases.get(sent, sent)
    known.renamed |= renamed or {}
    known.withheld |= withheld or {}
    with replacing(_file(settings)) as fresh_file:
        fresh_file.write_text(json.dumps(vars(known)), encoding="utf-8")


def plain(cell: str | None) -> str:
    """A cell as identifiers are compared: narrow, upper, without blanks, hyphens and marks before it."""
    narrow = unicodedata.normalize("NFKC", cell or "").upper()
    return "".join(c for c in narrow if c.isalnum())


def struck(text: str, words: Collection[str]) -> str:
    """`text` with MARK in the place of each of the words, in whatever width, case and spacing they stand."""
    held = [word for word in words if plain(word) and plain(word) in plain(text)]
    if not held:
        return text
    for word in sorted(held, key=len, reverse=True):
        text = re.sub(r"[\W_]*".join(map(re.escape, plain(word))), MARK, text, flags=re.IGNORECASE)
    return MARK if any(plain(word) in plain(text) for word in held) else text


def _file(settings: Settings) -> Path:
    return settings.secrets / "forgotten.json"

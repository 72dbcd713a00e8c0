"""What stays when a pupil is forgotten: keyed tombstones, and the old hashes of rewritten files.

Both lie in `secrets/forgotten.json` (0600), outside the lake, so that they outlast a lake that is made again
from landing. A tombstone is an HMAC under a key of its own: it tells that a number is to be refused, and
leads nobody to the number. A rewritten file goes by the hash of the file that was sent, so its receipts hold
and the same bytes sent again are known.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobs.files import replacing
from jobs.lake import identity
from jobs.settings import Settings


@dataclass
class Forgotten:
    """The tombstones of a site with their key, and hash of a rewritten file -> hash of what was sent."""

    key: str = field(default_factory=lambda: secrets.token_hex(32))
    tombstones: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)

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
) -> None:
    """Add tombstones of identifiers (kind, identifier), and aliases. A second time changes nothing."""
    known = load(settings)
    made = {identity.lookup_hmac(kind, identifier, known.lookup) for kind, identifier in identifiers}
    known.tombstones = sorted({*known.tombstones, *made})
    for fresh, sent in (aliases or {}).items():
        # A file rewritten twice still goes by what was sent.
        known.aliases[fresh] = known.aliases.get(sent, sent)
    with replacing(_file(settings)) as fresh_file:
        fresh_file.write_text(json.dumps(vars(known)), encoding="utf-8")


def _file(settings: Settings) -> Path:
    return settings.secrets / "forgotten.json"

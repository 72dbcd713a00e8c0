"""Links to files that were shared: signed, good for a while, and to be opened without a key.

Their secret is the process's own: after a restart a reader asks for new ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import asdict, dataclass

import orjson

from portal.problems import ProblemError

SECONDS = 15 * 60


@dataclass(frozen=True)
class Part:
    """Rows `first` to before `last` of a table of one release, as one scope may see them."""

    release: int
    audience: str
    school_code: str
    table: str
    first: int
    last: int

    @property
    def key(self) -> str:
        """Names the part: a release never changes."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]


class Links:
    """Signs and reads the links of one process."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def made(self, part: Part, until: float, by: str = "") -> str:
        """The last part of an address. `by`: the subject of the caller to whom it is given."""
        told = _encoded(orjson.dumps({**asdict(part), "until": until, "by": by}))
        return f"{told}.{self._signed(told)}"

    def read(self, link: str) -> tuple[Part, str]:
        """What a link leads to, and to whom it was given. Raises ProblemError for one that is not good."""
        told, _, signature = link.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signed(told).encode()):
            raise ProblemError(403, "foreign-link", "下载链接无效", "the link was not given by this process")
        fields = orjson.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
        if fields.pop("until") < time.time():
            raise ProblemError(403, "link-expired", "下载链接已过期", "ask for the table again")
        by = fields.pop("by")
        return Part(**fields), by

    def _signed(self, told: str) -> str:
        return _encoded(hmac.digest(self._secret, told.encode(), "sha256"))


def _encoded(told: bytes) -> str:
    return base64.urlsafe_b64encode(told).decode().rstrip("=")

"""How an answer is compressed, as its reader asks for it."""

from __future__ import annotations

from typing import IO, Any

# A smaller body is sent as it is.
SMALL = 1024
# By how well they do on tables of figures.
_CODECS = {"zstd": "zstd", "br": "brotli", "gzip": "gzip"}
_LEVELS = {"zstd": 6, "br": 5, "gzip": 5}


def chosen(accepted: str) -> str:
    """The encoding for a reader who says `Accept-Encoding: …`; empty for none."""
    if not accepted:
        return ""
    weights = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.strip().partition(";")
        try:
            weights[name.strip()] = float(weight.partition("q=")[2] or 1)
        except ValueError:
            continue
    rest = weights.get("*", 0.0)
    liked = {name: weights.get(name, rest) for name in _CODECS}
    best = max(liked, key=lambda name: liked[name])
    return best if liked[best] > 0 else ""


def compressed(body: bytes, encoding: str) -> bytes:
    """The body as a reader of that encoding takes it."""
    import pyarrow as pa

    packed: bytes = pa.Codec(_CODECS[encoding], _LEVELS[encoding]).compress(body, asbytes=True)
    return packed


def stream(out: IO[bytes], encoding: str) -> Any:
    """A file that compresses what is written to it into `out`, which stays open when it is closed."""
    import pyarrow as pa

    return pa.CompressedOutputStream(pa.PythonFile(_Kept(out), "w"), _CODECS[encoding])


class _Kept:
    """A file that is not closed with the one that writes to it."""

    closed = False

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        self._out.flush()

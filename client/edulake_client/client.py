"""Ask one release of an edulake: rows page by page, whole tables as frames, built tables."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from .models import Cells, Options, Problem, ReleaseInfo, Table, Tables, TableSummary

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_API = "/api/v1"
_PAGE = 1000
_TRIES = 4


class EdulakeError(Exception):
    """What the API refused: its status, and its words in both languages (`problem`)."""

    def __init__(self, status: int, problem: Problem | None, text: str) -> None:
        told = f"{problem.title_zh} {problem.detail_zh} ({problem.detail_en})" if problem else text
        super().__init__(f"{status}: {told}")
        self.status = status
        self.problem = problem


class Edulake:
    """One session with one release, pinned at the first question; close it, or use it in a `with` block.

    `key`: a key of this machine; without one the public's tables are open. `release`: its number, else the
    newest. `http`: a client of your own, with the address as its base.
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8090",
        key: str | None = None,
        release: int | None = None,
        *,
        seconds: float = 60.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._http = http or httpx.Client(base_url=address, timeout=seconds)
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._release = release

    def __enter__(self) -> Edulake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._http.close()

    @property
    def release(self) -> int:
        """The number of the release that this session asks."""
        if self._release is None:
            self._release = int(self._asked(f"{_API}/release", []).json()["release"])
        return self._release

    def about(self) -> ReleaseInfo:
        """What the release was made from, and as of which day."""
        return ReleaseInfo.model_validate(self.get("/release"))

    def tables(self) -> list[TableSummary]:
        """The tables that are open to this session."""
        return Tables.model_validate(self.get("/tables")).tables

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The JSON of any address of the API, from the session's release."""
        told: dict[str, Any] = self._pinned(_address(path), parameters).json()
        return told

    def pages(self, table: str, **parameters: Any) -> Iterator[Table]:
        """The pages of a table; filters and `sort`, `fields`, `limit` as the API has them."""
        answer = self._pinned(_address(table), {"limit": _PAGE, **parameters})
        while True:
            page = Table.model_validate(answer.json())
            yield page
            if page.next is None:
                return
            answer = self._asked(page.next, [])

    def rows(self, table: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """All rows of a table that fit, in order."""
        for page in self.pages(table, **parameters):
            yield from page.rows

    def arrow(self, table: str, **parameters: Any) -> pa.Table:
        """All rows of a table that fit, in one piece with exact types."""
        import pyarrow as pa

        answer = self._pinned(_address(table), {**parameters, "format": "arrow"})
        return pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()

    def frame(self, table: str, **parameters: Any) -> pd.DataFrame:
        """All rows of a table that fit, as a frame of pandas; decimals are floats."""
        import pyarrow as pa

        found = self.arrow(table, **parameters)
        for at, field in enumerate(found.schema):
            if pa.types.is_decimal(field.type):
                found = found.set_column(at, field.name, found.column(at).cast(pa.float64()))
        frame: pd.DataFrame = found.to_pandas()
        return frame

    def cells(
        self,
        table: str,
        measures: Sequence[str],
        rows: Sequence[str] = (),
        columns: Sequence[str] = (),
        **filters: Any,
    ) -> Cells:
        """A table built of released cells."""
        told = {"measures": ",".join(measures), "rows": ",".join(rows), "columns": ",".join(columns)}
        return Cells.model_validate(self.get(f"/tables/{table}/cells", **told, **filters))

    def options(self, table: str, measures: Sequence[str] = (), **filters: Any) -> Options:
        """What can be chosen for `cells`."""
        asked = {"measures": ",".join(measures), **filters}
        return Options.model_validate(self.get(f"/tables/{table}/options", **asked))

    def _pinned(self, address: str, parameters: Mapping[str, Any]) -> httpx.Response:
        return self._asked(address, [*_pairs(parameters), ("release", str(self.release))])

    def _asked(self, address: str, pairs: list[tuple[str, str]]) -> httpx.Response:
        for left in reversed(range(_TRIES)):
            # Without any, the address keeps its own.
            params = httpx.QueryParams(tuple(pairs)) if pairs else None
            answer = self._http.get(address, params=params, headers=self._headers)
            if answer.status_code not in (429, 503) or not left or "retry-after" not in answer.headers:
                break
            time.sleep(min(float(answer.headers["retry-after"]), 30.0))
        if answer.status_code != 200:
            raise _error(answer)
        return answer


def _address(table: str) -> str:
    """The address of a table's name, or of a path of the API."""
    if table.startswith(_API):
        return table
    return f"{_API}{table}" if table.startswith("/") else f"{_API}/tables/{table}"


def _pairs(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Parameters as the API writes them: a list is any of its values, None is missing."""
    pairs = []
    for name, value in parameters.items():
        for one in value if isinstance(value, list | tuple | set | frozenset) else [value]:
            if one is None:
                pairs.append((f"{name.partition('__')[0]}__null", "true"))
            elif isinstance(one, bool):
                pairs.append((name, str(one).lower()))
            else:
                pairs.append((name, one.isoformat() if isinstance(one, date) else str(one)))
    return [(name, text) for name, text in pairs if text or name not in ("measures", "rows", "columns")]


def _error(answer: httpx.Response) -> EdulakeError:
    problem = None
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = Problem.model_validate(answer.json())
    return EdulakeError(answer.status_code, problem, answer.reason_phrase)

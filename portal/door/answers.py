"""What the door says of deliveries: what was handed in, the first verdict, and the receipt's final state.

A delivery that came another way (`./edulake land`) is told in the same shape; its id is the lake's own.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from jobs import clock, declare
from jobs.declare import reasons
from jobs.replies import verdict as words
from portal.door import store as book
from portal.door.lake import Lake
from portal.door.store import HandIn, OneFile
from portal.replies import API

_TO_SLASH = "~"
# Of the verdict, what a list of deliveries shows.
_SHORT = ("code", "zh", "en", "line_count", "accepted_count", "refused_count", "flagged_count")


def api_id(delivery_id: str) -> str:
    """A delivery of the lake as an address: `enrollment~110101~2025-09-10_1`."""
    return delivery_id.replace("/", _TO_SLASH)


def told(lake: Lake, made: HandIn, *, is_short: bool = False) -> dict[str, Any]:
    """A hand-in as the API says it. `is_short`: without the verdicts' lines."""
    receipts = lake.receipts()
    files = [_file(made, file, receipts, is_short=is_short) for file in made.files]
    return {
        "id": made.id,
        "sender_code": made.sender,
        "sender_name": lake.name(made.sender),
        "handed_at": made.handed_at,
        "received_date": made.received,
        "who": made.who,
        "role": made.role,
        "channel": "door",
        "state": _state(made, files),
        "withdrawal": _withdrawal(made.withdrawn_at, made.withdrawn_by, made.reason),
        "files": files,
    }


def _state(made: HandIn, files: Sequence[Mapping[str, Any]]) -> str:
    """taking, refused, withdrawn, waiting (for its verdict), judged, or final (a run has taken it)."""
    if made.state in (book.REFUSED, book.WITHDRAWN, book.TAKING):
        return made.state
    landed = [file for file in files if file["state"] != book.REFUSED]
    if landed and all(file["final"] for file in landed):
        return "final"
    return "waiting" if any(file["state"] == "waiting" for file in landed) else "judged"


def _withdrawal(at: str | None, by: str | None, reason: str | None) -> dict[str, Any] | None:
    return {"at": at, "by": by, "reason": reason} if at else None


def _file(
    made: HandIn, file: OneFile, receipts: Mapping[str, Mapping[str, Any]], *, is_short: bool
) -> dict[str, Any]:
    receipt = receipts.get(file.receipt_id or "")
    final = of_receipt(receipt) if receipt else None
    first = file.verdict
    state = made.verdicts.get(file.delivery_id or "", book.REFUSED)
    names = {book.QUEUED: "waiting", book.JUDGING: "waiting", book.DONE: "judged", book.FAILED: "left_to_run"}
    answer = {
        "n": file.n,
        "name": file.name,
        "bytes": file.bytes,
        "sha256": file.sha256,
        **_dataset((first or {}).get("dataset") or (final or {}).get("dataset") or file.dataset),
        "feed": file.feed,
        "delivery_id": file.delivery_id,
        "receipt_id": file.receipt_id,
        "state": book.REFUSED if file.reasons else names.get(state, state),
        "verdict": refused(file.reasons) if file.reasons else first and _shortened(first, is_short),
        "final": final,
        "differs": differs(first, final),
        "reports": {} if file.reasons else _reports(made.id, file.n, final or first),
    }
    return answer


def refused(found: Iterable[str]) -> dict[str, Any]:
    """The verdict on a file that was refused at the door, with the reasons."""
    word = words.VERDICTS[words.WHOLE]
    return {
        **_word(word),
        "outcome": book.REFUSED,
        "is_at_door": True,
        "reasons": told_reasons(found),
        "problems": [],
    }


def _word(word: words.Verdict) -> dict[str, str]:
    names = ("code", "zh", "en", "next_zh", "next_en")
    return {name: getattr(word, name) for name in names}


def _shortened(verdict: Mapping[str, Any], is_short: bool) -> dict[str, Any]:
    return {name: verdict.get(name) for name in _SHORT} if is_short else dict(verdict)


def _dataset(name: str | None) -> dict[str, str | None]:
    contract = declare.load().get(name or "")
    return {
        "dataset": name,
        "dataset_zh": contract.zh if contract else None,
        "dataset_en": contract.en if contract else None,
    }


def _reports(address: str, n: int, verdict: Mapping[str, Any] | None) -> dict[str, str]:
    """Where the reports of a file are fetched; none before there is a verdict."""
    if verdict is None:
        return {}
    names = ["report.xlsx", "report.html", *(["marked.xlsx"] if verdict.get("is_marked", True) else [])]
    return {name: f"{API}/deliveries/{address}/files/{n}/{name}" for name in names}


def told_reasons(found: Iterable[str] | None) -> list[dict[str, str]]:
    """Reasons by code, in words of both languages."""
    return [
        {
            "code": reasons.code_of(one),
            "zh": reasons.sentence(one, "zh"),
            "en": reasons.sentence(one, "en"),
        }
        for one in found or ()
    ]


def of_receipt(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """The final state of a file, as its receipt has it."""
    word = words.of_receipt(receipt, receipt["finding_count"])
    withdrawal = receipt["withdrawal"]
    return {
        **_word(word),
        "receipt_id": receipt["receipt_id"],
        "run_id": receipt["run_id"],
        "dataset": receipt["dataset"],
        "outcome": receipt["outcome"],
        **{
            name: receipt[name]
            for name in ("line_count", "accepted_count", "refused_count", "flagged_count", "finding_count")
        },
        "is_marked": any(receipt[name] for name in ("refused_count", "flagged_count", "finding_count")),
        "reasons": told_reasons(receipt["reasons"]),
        "withdrawal": withdrawal
        and _withdrawal(withdrawal.withdrawn_on.isoformat(), withdrawal.withdrawn_by, withdrawal.reason),
    }


_COUNTED = ("line_count", "accepted_count", "refused_count", "flagged_count", "finding_count")


def differs(first: Mapping[str, Any] | None, final: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Why the final state is another than the first verdict; None where it is the same, or not known yet."""
    if first is None or final is None:
        return None
    changed = [name for name in _COUNTED if (first.get(name) or 0) != (final.get(name) or 0)]
    if first["code"] == final["code"] and not changed:
        return None
    if final["withdrawal"]:
        return {"zh": "该批次已撤回。", "en": "The delivery was withdrawn."}
    said = [(one["zh"], one["en"]) for one in final["reasons"]]
    if said:
        zh, en = "；".join(zh for zh, _ in said), "; ".join(en for _, en in said)
        return {"zh": f"入湖处理时：{zh}", "en": f"When the run took it: {en}"}
    counts = ", ".join(f"{name} {first.get(name) or 0} → {final.get(name) or 0}" for name in changed)
    return {
        "zh": "首次核对之后，与之核对的数据（其他批次、名册等）有了变化，以入湖处理时的结果为准。",
        "en": "After the first verdict the data that it is compared with (other deliveries, rolls, related"
        f" data) changed; the result of the run counts ({counts or 'the word alone'}).",
    }


def came_otherwise(
    lake: Lake,
    receipts: Iterable[Mapping[str, Any]],
    door: Container[str],
    before: str = "",
    most: int | None = None,
) -> list[dict[str, Any]]:
    """The deliveries that no hand-in of the door brought (`door`: those it did), in the same shape, the
    newest first; `most` of them, of those before a place (`place_of`).
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in receipts:
        if row["delivery_id"] not in door:
            found.setdefault(row["delivery_id"], []).append(row)
    moments = {day: _moment(lake, day) for day in {rows[0]["received_date"] for rows in found.values()}}
    # A city has a hundred thousand of them: those that nobody sees now are not told.
    places = sorted(
        (
            (moments[rows[0]["received_date"]], api_id(delivery_id), delivery_id)
            for delivery_id, rows in found.items()
        ),
        reverse=True,
    )
    asked = [one for one in places if not before or place_of(*one[:2]) < before]
    return [_landed(lake, delivery_id, found[delivery_id]) for _, _, delivery_id in asked[:most]]


def place_of(handed_at: str, address: str) -> str:
    """Where a delivery stands in the history."""
    return f"{handed_at}!{address}"


def _moment(lake: Lake, day: date) -> str:
    return clock.start_of_day(day, lake.settings.timezone).isoformat().replace("+00:00", "Z")


def _landed(lake: Lake, delivery_id: str, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    rows.sort(key=lambda row: (row["file_name"] or "", row["receipt_id"]))
    row, address = rows[0], api_id(delivery_id)
    gone = row["withdrawal"]
    return {
        "id": address,
        "sender_code": row["sender_code"],
        "sender_name": lake.name(row["sender_code"]),
        "handed_at": _moment(lake, row["received_date"]),
        "received_date": row["received_date"].isoformat(),
        "who": None,
        "role": None,
        "channel": "landing",
        "state": book.WITHDRAWN if gone else "final",
        "withdrawal": gone and _withdrawal(gone.withdrawn_on.isoformat(), gone.withdrawn_by, gone.reason),
        "files": [
            {
                "n": n,
                "name": one["file_name"],
                "bytes": one["byte_count"],
                "sha256": one["file_sha256"],
                **_dataset(one["dataset"]),
                "feed": one["feed"],
                "delivery_id": delivery_id,
                "receipt_id": one["receipt_id"],
                "state": "judged",
                "verdict": None,
                "final": of_receipt(one),
                "differs": None,
                "reports": _reports(address, n, of_receipt(one)),
            }
            for n, one in enumerate(rows, 1)
        ],
    }

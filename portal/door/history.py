"""The deliveries of a caller's senders: all of them, the newest first; one of them; taking one back."""

from __future__ import annotations

from typing import Any

from jobs.access.caller import Caller, Role
from jobs.ingest import withdrawing
from jobs.settings import UserError
from portal.door import answers
from portal.door.desk import Desk
from portal.door.rights import Rights, rights_of
from portal.door.store import REFUSED, WITHDRAWN, HandIn
from portal.problems import ProblemError

# More hand-ins than this never come in one millisecond.
_SAME = 50


def mine(desk: Desk, caller: Caller) -> Rights:
    """The senders that are the caller's."""
    return rights_of(caller, desk.lake.senders())


def listed(
    desk: Desk, caller: Caller, sender: str, state: str, limit: int, cursor: str
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of the history, the newest first, and the cursor of the next one."""
    rights = mine(desk, caller)
    if sender and not rights.has(sender):
        raise nothing_there()
    receipts = desk.lake.receipts()
    senders = [sender] if sender else None if rights.is_for_all else rights.own
    # With a state to look for, any number of deliveries may lie before the first that has it.
    made = desk.store.listed(senders, cursor.partition("!")[0], None if state else limit + _SAME)
    own = [row for row in receipts.values() if senders is None or row["sender_code"] in senders]
    found = [answers.told(desk.lake, one, is_short=True) for one in made]
    door = desk.store.delivery_ids(senders)
    found += answers.came_otherwise(desk.lake, own, door, cursor, None if state else limit + 1)
    if state:
        found = [one for one in found if state in (one["state"], *_codes(one))]
    found.sort(key=_place, reverse=True)
    if cursor:
        found = [one for one in found if _place(one) < cursor]
    page = found[:limit]
    return page, _place(page[-1]) if len(found) > limit else None


def _codes(one: dict[str, Any]) -> set[str]:
    return {told["code"] for file in one["files"] if (told := file["final"] or file["verdict"])}


def _place(one: dict[str, Any]) -> str:
    return answers.place_of(one["handed_at"], one["id"])


def one(desk: Desk, caller: Caller, address: str) -> tuple[dict[str, Any], HandIn | None]:
    """One delivery of the caller's senders. Raises ProblemError for any other, as if it were not there."""
    rights, receipts = mine(desk, caller), desk.lake.receipts()
    made = desk.store.get(address)
    if made is not None:
        if not rights.has(made.sender):
            raise nothing_there()
        told = answers.told(desk.lake, made)
        told["place_in_queue"] = desk.store.before(made.id) if told["state"] == "waiting" else None
        return told, made
    own = [row for row in receipts.values() if answers.api_id(row["delivery_id"]) == address]
    own = [row for row in own if rights.has(row["sender_code"])]
    if not own:
        raise nothing_there()
    return answers.came_otherwise(desk.lake, own, ())[0], None


def withdraw(desk: Desk, caller: Caller, address: str, reason: str) -> dict[str, Any]:
    """Take a delivery back. Raises ProblemError where it may not be: no delivery of his, refused at the door,
    or its period is locked, which only the steward passes over.
    """
    told, made = one(desk, caller, address)
    if told["state"] == REFUSED:
        raise ProblemError(
            409,
            "nothing-landed",
            "这份文件没有被接收，无需撤回",
            "it was refused at the door: nothing lies there",
        )
    by = caller.name or caller.subject
    for delivery_id in dict.fromkeys(file["delivery_id"] for file in told["files"] if file["delivery_id"]):
        try:
            withdrawing.withdraw(
                desk.settings, delivery_id, by, reason, passes_locks=caller.role == Role.STEWARD
            )
        except UserError as error:
            raise ProblemError(
                409, "not-withdrawn", "不能撤回", f"{error.message} {error.way_out}"
            ) from error
    if made is not None and made.state != WITHDRAWN:
        desk.store.withdrawn(made.id, by, reason)
    desk.lake.forget()
    return one(desk, caller, address)[0]


def nothing_there() -> ProblemError:
    """A delivery that is not there, or is another's: nobody can tell which."""
    return ProblemError(404, "unknown-delivery", "没有这次报送", "there is no such delivery of yours")

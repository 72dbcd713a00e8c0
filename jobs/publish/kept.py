"""Which releases of a site stay, and why: the current, the newest, the last of each month, and named ones.

The rule is the setting `kept_releases`; names are given by hand and lie in `releases/names.json`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from jobs.files import fsync, replacing
from jobs.publish import release as releases
from jobs.publish.release import Release, publishing_alone
from jobs.settings import Settings, UserError, writing

if TYPE_CHECKING:
    from jobs.declare.words import Text

CURRENT, NEWEST, MONTH, NAMED = "current", "newest", "month", "named"
_LONGEST_NAME = 40


def all_kept(settings: Settings) -> list[Release]:
    """The releases that are kept, newest first."""
    if not settings.releases.is_dir():
        return []
    return [releases.read(settings.releases / str(number)) for number in releases.numbers(settings.releases)]


def why(settings: Settings, kept: Collection[Release]) -> dict[int, list[str]]:
    """Number of each release -> why it stays; MONTH: it is the last one that shows a day of its month.

    One without a reason goes with the next publication.
    """
    rule = settings.kept_releases
    newest = sorted((release.number for release in kept), reverse=True)[: rule.newest]
    last: dict[str, int] = {}
    for release in sorted(kept, key=lambda release: release.number):
        last[release.manifest["as_of_date"][:7]] = release.number
    named = set(names(settings).values())
    pointed = releases.current(settings)
    reasons = (
        (CURRENT, {pointed.number} if pointed else set()),
        (NEWEST, set(newest)),
        (MONTH, set(last.values()) if rule.last_of_month else set()),
        (NAMED, named),
    )
    return {
        release.number: [reason for reason, numbers in reasons if release.number in numbers]
        for release in kept
    }


def until(settings: Settings, kept: Collection[Release]) -> dict[int, Text]:
    """Number of each release -> how long it is kept, in words."""
    # Importing declarations loads Arrow, which finding a release by its name must not.
    from jobs.declare.words import Text

    given, rule = names(settings), settings.kept_releases
    newest = sorted((release.number for release in kept), reverse=True)
    months = {release.number: release.manifest["as_of_date"][:7] for release in kept}
    found = {}
    for number, reasons in why(settings, kept).items():
        month, left = months[number], rule.newest - newest.index(number)
        called = "、".join(sorted(text for text, named in given.items() if named == number))
        if NAMED in reasons:
            found[number] = Text(f"长期，直到取消名称 {called}", f"for good, while it is called {called}")
        elif MONTH in reasons and month < max(months.values()):
            found[number] = Text(f"长期，{month} 月末版本", f"for good, as the last of {month}")
        elif NEWEST in reasons:
            month_too = MONTH in reasons
            zh = f"直到再发布 {left} 个版本" + (f"；若为 {month} 最后一版则长期" if month_too else "")
            en = f"until {left} newer ones are out" + (
                f"; for good if it stays the last of {month}" if month_too else ""
            )
            found[number] = Text(zh, en)
        elif reasons:
            found[number] = Text(
                "直到不再是当前或当月最后版本", "while it is current or the last of its month"
            )
        else:
            found[number] = Text("下次发布时删除", "goes with the next")
    return found


def names(settings: Settings) -> dict[str, int]:
    """Name -> the release that has it. Raises UserError where the file of names is damaged."""
    try:
        found = orjson.loads(_names_file(settings).read_bytes())
        return {str(text): int(number) for text, number in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"the names of releases are damaged: {_names_file(settings)}",
            "Put it back from a copy, or remove it and name the releases again. No release goes meanwhile.",
        ) from error


def name(settings: Settings, number: int, text: str) -> None:
    """Give a release a name, with which it stays until the name is taken away. Doing it again is harmless.

    Raises UserError for a release that is not kept, a name that another release has, and a text that is none.
    """
    text = text.strip()
    if not text or text.isdecimal() or not text.isprintable() or len(text) > _LONGEST_NAME:
        raise UserError(
            f"{text!r} cannot name a release.",
            f"Give up to {_LONGEST_NAME} characters that are not all digits, such as 2026年报.",
        )
    with writing(settings.releases):
        if releases.find(settings, number) is None:
            raise _unknown(settings, str(number))
        with publishing_alone(settings.releases):
            if releases.find(settings, number) is None:
                raise _unknown(settings, str(number))
            given = names(settings)
            if given.get(text, number) != number:
                raise UserError(
                    f"{text} is the name of release {given[text]}.",
                    f"Give another, or take it away first: {settings.command('release', 'unname', text)}",
                )
            _write(settings, given | {text: number})


def unname(settings: Settings, text: str) -> int:
    """Take a name away; returns the release that had it. Raises UserError for a name that no release has."""
    given = names(settings)
    if text not in given:
        raise _unknown(settings, text)
    with writing(settings.releases), publishing_alone(settings.releases):
        given = names(settings)
        number = given.pop(text)
        _write(settings, given)
    return number


def published(settings: Settings, number: int) -> Release:
    """A kept release. Raises UserError for one that is not kept."""
    found = releases.find(settings, number)
    if found is None:
        raise _unknown(settings, str(number))
    return found


def numbered(settings: Settings, text: str) -> int:
    """The release that a text means, which is a number or a name. Raises UserError for an unknown name."""
    if text.isdecimal():
        return int(text)
    given = names(settings)
    if text not in given:
        raise _unknown(settings, text)
    return given[text]


def _unknown(settings: Settings, text: str) -> UserError:
    return UserError(
        f"{settings.site} keeps no release {text}.",
        f"`{settings.command('release', 'list')}` shows those that are kept.",
    )


def _names_file(settings: Settings) -> Path:
    return settings.releases / "names.json"


def _write(settings: Settings, given: dict[str, int]) -> None:
    with replacing(_names_file(settings)) as fresh:
        fresh.write_bytes(orjson.dumps(given, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        fsync(fresh)

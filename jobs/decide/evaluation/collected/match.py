"""One item of a form -> whether the lake has it: held, worked out, in part, perhaps, or not.

Certain answers come from words that are the same, once numbers, units, width and a form's own habits are
taken off, or that one dataset's vocabulary makes up without a rest (`本科及以上学历教师数`).
What only looks alike is shown with its score and counts as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cache

from jobs import declare
from jobs.decide.evaluation.collected import holdings, words
from jobs.decide.evaluation.collected.form import Item
from jobs.decide.evaluation.collected.holdings import Held, Made
from jobs.declare import Contract, heading_key, units

# Below this, two names have little in common; nothing above it is certain either.
ALIKE = 0.72
_BRACKET = re.compile(r"[(（\[【〔]([^()（）\[\]【】〔〕]*)[)）\]】〕]")


class Status(StrEnum):
    """What is said of an item."""

    HELD = "已有"
    MADE = "可由已有数据计算"
    PART = "部分"
    PERHAPS = "待确认"
    NONE = "没有"


@dataclass(frozen=True)
class Answer:
    """What is said of one item. `score` of the likeness, where nothing is certain."""

    item: Item
    status: Status
    place: str = ""
    datasets: tuple[str, ...] = ()
    note: str = ""
    score: float | None = None

    @property
    def is_had(self) -> bool:
        return self.status in (Status.HELD, Status.MADE)


def answer(item: Item) -> Answer:
    """What the lake has of an item. Habits of forms are left aside; the group above gives the subject."""
    base, limits = _without_brackets(item.text)
    group = next((words.narrow(_without_brackets(g)[0]) for g in reversed(item.groups)), "")
    whole = words.narrow(base)
    if (found := _first(item, whole, group, limits)) is not None:
        return found
    base, finer = _without_finer(whole)
    base, by = _without_by(base)
    found = _first(item, base, group, limits)
    if found is None and limits:
        found = _first(item, base, group, [])
        if found is not None:
            return _partly(item, found, f"未按“{'、'.join(limits)}”限定")
    if found is not None and finer:
        return _partly(item, found, f"没有“{finer}”的数据, 只有按学年、学期或报送日的")
    if found is not None and by:
        return _partly(item, found, f"没有按“{by}”的分组")
    if found is None and _is_of_others(group):
        return _alike(item, f"{_shorter(group)[-1]}{base}", None)
    return found or _raw(item, base) or _alike(item, base, _subject(base, group))


def _first(item: Item, base: str, group: str, limits: Sequence[str]) -> Answer | None:
    """The first certain answer among the ways to write an item."""
    return next(filter(None, (_certain(item, key, group) for key in _ways(base, group, limits))), None)


def _partly(item: Item, found: Answer, note: str) -> Answer:
    return Answer(item, Status.PART, found.place, found.datasets, note)


def _without_brackets(text: str) -> tuple[str, list[str]]:
    """The words outside brackets, and what stands in brackets and narrows them: no unit, no instruction."""
    told = words.load()
    limits = []
    for inside in _BRACKET.findall(text):
        plain = words.narrow(inside)
        parts = [words.narrow(part) for part in re.split(r"[,，、/;；]", inside)]
        is_unit = all(not part or part in told.bracket_words or _is_unit(part) for part in parts)
        if not is_unit and plain not in told.bracket_words:
            limits.append(plain)
    return _BRACKET.sub("", text).strip() or text, [limit for limit in limits if limit]


def _is_unit(word: str) -> bool:
    return bool(units.siblings(word)) or not heading_key(f"甲{word}").removeprefix("甲")


def _without_finer(key: str) -> tuple[str, str]:
    found = next((w for w in words.load().finer if key.startswith(w) or key.endswith(w)), "")
    return key.replace(found, "", 1) if found else key, found


def _without_by(key: str) -> tuple[str, str]:
    """`分年级在校生数` -> (`在校生数`, nothing); a grouping that the lake does not know is returned."""
    told = words.load()
    for word in told.by_words:
        if key.startswith(word):
            rest = key.removeprefix(word)
            known = sorted((k for k in told.by_known if rest.startswith(k)), key=len, reverse=True)
            if known and len(rest) > len(known[0]):
                return rest.removeprefix(known[0]), ""
            if word == "分" and (other := re.match(r"(.{2,3}?)(在校|学生|教师|人数)", rest)):
                return rest.removeprefix(other[1]), other[1]
    return key, ""


def _ways(base: str, group: str, limits: Sequence[str]) -> Iterator[str]:
    """The ways in which the same thing may be written, the surest first."""
    told = words.load()
    starts = ["".join(limits) + base, *([base + "".join(limits)] if limits else [])]
    ways: list[str] = []
    for start in starts:
        for key in _shorter(start):
            ways += [f"{of}{key}{end}" for of in _of_whom(group) for end in ("", "数")]
            # A name below 家长 is no pupil's.
            ways += [] if _is_of_others(group) else [key]
    for way in dict.fromkeys(ways):
        if len(same := told.synonyms.get(way, ())) == 1:
            yield same[0]
        yield way


def _of_whom(group: str) -> list[str]:
    """The words of a group before those below it: 在校生数 above 男 is 在校生男."""
    counts = [group.removesuffix(word) for word in words.load().counts if group.endswith(word)]
    return [way for way in dict.fromkeys((*_shorter(group), *counts[:1])) if way]


def _is_of_others(group: str) -> bool:
    return any(group.startswith(name) for name in words.load().others)


def _shorter(key: str) -> list[str]:
    """The word, without what forms put before it, and without 情况 behind it."""
    told = words.load()
    found = [key]
    for word in told.leading:
        if key.startswith(word) and len(key) > len(word) + 1:
            found.append(key.removeprefix(word))
    for shown in list(found):
        found += [
            shown.removesuffix(w) for w in told.trailing if shown.endswith(w) and len(shown) > len(w) + 1
        ]
    return list(dict.fromkeys(found))


def _subject(*texts: str) -> str | None:
    """Of whom the first of some texts speaks at its beginning; None where none says."""
    named = [(name, subject) for subject, names in words.load().subjects.items() for name in names]
    for text in texts:
        found = [(len(name), subject) for name, subject in named if len(name) > 1 and text.startswith(name)]
        if found:
            return max(found)[1]
    return None


def _certain(item: Item, key: str, group: str) -> Answer | None:
    known = holdings.load()
    subject = _subject(key, group)
    held = _of_subject(known.columns.get(key, ()), subject)
    if not held and (own := _subject(key)):
        for name in words.load().subjects[own]:
            if len(name) > 1 and key.startswith(name):
                held = held or _of_subject(known.columns.get(key.removeprefix(name), ()), own)
    if fine := [h for h in held if h.is_fine]:
        others = [h.contract.zh for h in fine[1:4]]
        note = f"另见: {'、'.join(others)}" if others else ""
        found = Answer(item, Status.HELD, fine[0].place, (fine[0].contract.dataset,), note)
        return _in_part(found, fine[0].contract.dataset)
    if counted := _counted(item, key, subject):
        return counted
    if made := known.made.get(key):
        return Answer(item, Status.MADE, made.place, made.datasets, made.definition)
    if several := words.load().synonyms.get(key, ()):
        parts = [_certain(item, part, "") for part in several] if len(several) > 1 else []
        if parts and all(parts):
            places = "; ".join(part.place for part in parts if part)
            return Answer(
                item, Status.MADE, places, tuple(d for p in parts if p for d in p.datasets), "两者之比"
            )
    if per := re.match(r"(生均|人均)(.+)", key):
        for whole in (per[2], f"{per[2]}数"):
            of = [
                h
                for h in known.columns.get(whole, ())
                if h.is_fine and h.column.unit not in (None, "cm", "kg")
            ]
            if of:
                datasets = (of[0].contract.dataset, "grade_return")
                return Answer(item, Status.MADE, of[0].place, datasets, "除以在校生数")
    if held:
        return _partly(
            item, Answer(item, Status.HELD, held[0].place, (held[0].contract.dataset,)), _grain(held[0])
        )
    return None


def _in_part(found: Answer, dataset: str) -> Answer:
    """The same, in part where the dataset lists only some."""
    why = words.load().in_part.get(dataset)
    return _partly(found.item, found, why) if why else found


def _grain(held: Held) -> str:
    return f"粒度不同: {held.contract.grain}"


def _of_subject(held: Sequence[Held], subject: str | None) -> list[Held]:
    """The columns that are about the subject; a school's own columns are about whoever is counted in it."""
    if subject is None:
        return list(held)
    if subject == "school":
        return [h for h in held if not h.contract.identity]
    return [h for h in held if subject in (holdings.subject_of(h.contract, h.column), _counts(h))]


def _counts(held: Held) -> str | None:
    """Whom a number of a school counts, by its own words: 班级数, 专任教师数."""
    return _subject(words.narrow(held.column.zh)) if held.column.type == "int" else None


def _counted(item: Item, key: str, subject: str | None) -> Answer | None:
    """A count or share of rows that one dataset's own words describe; None where a word is left over."""
    told = words.load()
    ending = next((w for w in (*told.shares, *told.counts) if key.endswith(w)), None)
    if ending is None:
        return None
    rest = key.removesuffix(ending)
    for dataset in _datasets_for(subject):
        used = _spelled(rest, dataset)
        if used is None:
            continue
        own = holdings.load().vocabulary[dataset]
        columns = list(dict.fromkeys(own[word].zh for word in used if word in own))
        what = f"按{'、'.join(columns)}统计" if columns else "统计行数"
        found = Answer(item, Status.MADE, f"{_contract(dataset).zh} ({dataset})", (dataset,), what)
        return _in_part(found, dataset)
    return None


def _datasets_for(subject: str | None) -> list[str]:
    """The datasets whose rows may be counted, lists of all first."""
    known = holdings.load().vocabulary
    in_part = words.load().in_part
    others = sorted((n for n in known if n not in holdings.LISTS), key=lambda n: (n in in_part, n))
    there = [*(n for n in holdings.LISTS if n in known), *others]
    return [n for n in there if subject is None or holdings.subject_of(_contract(n)) == subject]


def _contract(dataset: str) -> Contract:
    return declare.load()[dataset]


@cache
def _spelled(rest: str, dataset: str) -> tuple[str, ...] | None:
    """The words of a dataset's vocabulary that make up a text without a rest, the longest first; else None.

    Words for whom the dataset is about, and connectors, are in everyone's vocabulary; one of them is there,
    or a word of the dataset.
    """
    told = words.load()
    own = holdings.load().vocabulary[dataset]
    events = told.events.get(dataset, ())
    # Lists of persons can be counted by what they say of each; lists of events only by what happened.
    is_list = dataset in holdings.LISTS or dataset in told.in_part
    is_of_persons = is_list or _contract(dataset).identity is not None
    of_subject = told.subjects[holdings.subject_of(_contract(dataset))]
    known = sorted({*own, *of_subject, *events, *told.connectors}, key=lambda word: (-len(word), word))

    def parts(text: str) -> tuple[str, ...] | None:
        if not text:
            return ()
        for word in known:
            if word and text.startswith(word):
                after = parts(text.removeprefix(word))
                if after is not None:
                    return (word, *after)
        return None

    found = parts(rest) if len(rest) <= 24 else None
    is_telling = found and any(
        (is_of_persons and word in own)
        or word in events
        or (is_list and word in of_subject and len(word) > 1)
        for word in found
    )
    return found if is_telling else None


def _raw(item: Item, base: str) -> Answer | None:
    """A heading of a real form whose cells stay in raw: sent once already, and kept, but in no table."""
    known = holdings.load().raw_only
    names = [name for name in words.load().subjects["pupil"] if len(name) > 1 and base.startswith(name)]
    of = next((known[k] for k in (base, *(base.removeprefix(name) for name in names)) if k in known), None)
    if not of:
        return None
    return Answer(
        item, Status.PART, f"{of[0].zh} ({of[0].dataset})", (of[0].dataset,), "已随该表报送, 只存在原始文件中"
    )


def _alike(item: Item, base: str, subject: str | None) -> Answer:
    best, score = _nearest(base, subject)
    if best is None or score < ALIKE:
        return Answer(item, Status.NONE)
    return Answer(item, Status.PERHAPS, best.place, (), "名称相近, 请人工确认", round(score, 2))


@cache
def _nearest(base: str, subject: str | None) -> tuple[Held | Made | None, float]:
    """What has the most similar name, and how similar it is: by pairs of characters and by order."""
    known = holdings.load()
    best: tuple[Held | Made | None, float] = (None, 0.0)
    named = [(key, of[0]) for key, held in known.columns.items() if (of := _of_subject(held, subject))]
    candidates: list[tuple[str, Held | Made]] = [*named, *known.made.items()]
    for key, one in candidates:
        score = _likeness(base, key)
        if score > best[1]:
            best = (one, score)
    return best


def _likeness(one: str, other: str) -> float:
    if min(len(one), len(other)) < 2 or abs(len(one) - len(other)) > max(len(one), len(other)) / 2:
        return 0.0
    pairs = [{text[at : at + 2] for at in range(len(text) - 1)} for text in (one, other)]
    dice = 2 * len(pairs[0] & pairs[1]) / (len(pairs[0]) + len(pairs[1]))
    return (dice + SequenceMatcher(None, one, other).ratio()) / 2 if dice else 0.0

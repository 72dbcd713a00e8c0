"""Verdicts are a function of the set of files: any order and grouping of processing ends in the same ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import declare
from jobs.declare import reasons
from jobs.ingest import verdicts
from jobs.ingest.verdicts import ACCEPTED, HELD, REFUSED, REPEATED, Filed

DATASETS = declare.load()


def file(
    day: int,
    number: int = 1,
    *,
    content: int = 0,
    lines: int = 100,
    refused: int = 0,
    sender: str = "110101",
    aside: int = 0,
    again: int = 0,
    readable: bool = True,
    name: str = "名册.csv",
) -> Filed:
    return Filed(
        receipt_id=f"{sender}-{day}-{number}-{name}",
        feed="enrollment",
        sender=sender,
        received=f"2025-09-{day:02d}",
        delivery_no=number,
        file_name=name,
        sha256=f"{content:064x}",
        dataset="pupil_roll" if readable else None,
        line_count=lines,
        accepted_count=lines - refused,
        refused_count=refused,
        scope_count=1,
        aside_count=aside,
        again_count=again,
        outcome=None if readable else REFUSED,
        reasons=() if readable else (reasons.text("file_empty"),),
    )


def process(
    batches: list[list[Filed]], withdrawn: Collection[str] = ()
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What ingest does, without the lake: judge a batch among the receipts, then take changed files again.

    Receipts in `withdrawn` are withdrawn when all is done, and changed files taken again.
    """
    receipts: dict[str, Filed] = {}
    originals = {f.receipt_id: f for b in batches for f in b}
    if withdrawn:
        batches = [*batches, []]
    waiting = list(batches)
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds < 100, "verdicts do not come to rest"
        batch = sorted(waiting.pop(0), key=lambda f: f.stamp)
        if withdrawn and not waiting:
            for known_files in (receipts, originals):
                known_files |= {n: replace(f, is_withdrawn=n in withdrawn) for n, f in known_files.items()}
            batch = [originals[f.receipt_id] for f in batch]
        known = list(receipts.values())
        read = []
        for one in batch:
            if one.outcome == REFUSED:
                receipts[one.receipt_id] = one
            elif again := verdicts.repeated(one, known, DATASETS):
                empty = replace(one, dataset=None, line_count=0, accepted_count=0, refused_count=0)
                receipts[one.receipt_id] = replace(empty, outcome=again.outcome, reasons=again.reasons)
            else:
                read.append(one)
                # Of a file that is not read yet nobody knows the dataset.
                known.append(replace(one, dataset=None))
        now = verdicts.judge([*receipts.values(), *read], DATASETS)
        for one in read:
            verdict = now[one.receipt_id]
            receipts[one.receipt_id] = replace(one, outcome=verdict.outcome, reasons=verdict.reasons)
        again_taken = verdicts.changed(receipts.values(), DATASETS)
        for one in again_taken:
            del receipts[one.receipt_id]
        if again_taken:
            waiting.insert(0, [originals[f.receipt_id] for f in again_taken])
    return {name: (f.outcome or "", f.reasons) for name, f in receipts.items()}


@st.composite
def histories(draw: st.DrawFn) -> list[Filed]:
    stamps = draw(
        st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=8, unique=True)
    )
    made = []
    for day, number in stamps:
        content = draw(st.integers(0, 3))
        # Bytes decide how lines are judged, so equal contents have equal counts.
        lines, refused, readable = [(100, 0, True), (60, 0, True), (100, 20, True), (40, 0, False)][content]
        sender = draw(st.sampled_from(["110101", "110105"]))
        made.append(
            file(day, number, content=content, lines=lines, refused=refused, sender=sender, readable=readable)
        )
    return made


@settings(max_examples=200, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_of_processing_ends_in_the_same_verdicts(history: list[Filed], random: object) -> None:
    in_order = process([[f] for f in sorted(history, key=lambda f: f.stamp)])
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    batches: list[list[Filed]] = []
    for one in shuffled:
        if batches and random.random() < 0.4:  # type: ignore[attr-defined]
            batches[-1].append(one)
        else:
            batches.append([one])
    assert process(batches) == in_order == process([history])


@settings(max_examples=200, deadline=None)
@given(histories(), st.data())
def test_a_withdrawal_at_any_time_ends_in_the_same_verdicts(
    history: list[Filed], data: st.DataObject
) -> None:
    """Known from the start, or when all is done; withdrawn files count for no other."""
    names = data.draw(st.sets(st.sampled_from(sorted(f.receipt_id for f in history)), min_size=1))
    known = [replace(f, is_withdrawn=f.receipt_id in names) for f in history]
    in_order = process([[f] for f in sorted(known, key=lambda f: f.stamp)])
    assert process([[f] for f in sorted(history, key=lambda f: f.stamp)], names) == in_order
    without = [f for f in history if f.receipt_id not in names]
    standing = {name: verdict for name, verdict in in_order.items() if name not in names}
    assert standing == process([[f] for f in sorted(without, key=lambda f: f.stamp)])


def outcomes(*files: Filed) -> list[str]:
    now = verdicts.judge(files, DATASETS)
    return [now[f.receipt_id].outcome for f in files]


def test_a_small_delivery_is_held_only_by_one_stamped_earlier() -> None:
    small, large = file(5, content=1, lines=50), file(9, content=2)
    assert outcomes(small, large) == [ACCEPTED, ACCEPTED]
    assert outcomes(small, file(3, content=2)) == [HELD, ACCEPTED]
    held = verdicts.judge([small, file(3, content=2)], DATASETS)[small.receipt_id]
    assert held.reasons == (reasons.text("rows_fell", rows=50.0, before=100.0, least=0.7),)


def test_a_held_delivery_is_no_measure_for_the_next() -> None:
    assert outcomes(file(1), file(2, content=1, lines=50), file(3, content=2, lines=60)) == [
        ACCEPTED,
        HELD,
        HELD,
    ]


def test_same_bytes_again_are_repeated_unless_the_sender_or_the_term_differs() -> None:
    first = file(1)
    assert outcomes(first, file(2)) == [ACCEPTED, REPEATED]
    assert outcomes(first, file(2, sender="110105")) == [ACCEPTED, ACCEPTED]
    terms = [file(day, name=f"名册_2024-2025-{day}.csv") for day in (1, 2)]
    assert outcomes(*terms) == [ACCEPTED, ACCEPTED]
    # Another name, or another year's: no roll is the same a year later.
    assert outcomes(terms[0], file(2, name="副本.csv")) == [ACCEPTED, REPEATED]
    assert outcomes(terms[0], file(2, name="名册_2025-2026-1.csv")) == [ACCEPTED, REPEATED]
    # Where a file states nothing for a term, its name is no matter.
    births = [replace(f, dataset="birth") for f in terms]
    assert outcomes(*births) == [ACCEPTED, REPEATED]
    again = verdicts.judge([first, file(2)], DATASETS)[file(2).receipt_id]
    assert again.reasons == (reasons.text("repeated", receipt=first.receipt_id),)


def test_what_was_replaced_since_is_news_when_it_is_stated_again() -> None:
    one, other, again = file(1), file(2, content=1), file(3)
    assert outcomes(one, other, again) == [ACCEPTED] * 3
    # Then it stands, and a copy of it adds nothing.
    assert outcomes(one, other, again, file(4)) == [ACCEPTED] * 3 + [REPEATED]
    # A held file has replaced nothing, nor has another term's or another sender's.
    assert outcomes(one, file(2, content=1, refused=20), again) == [ACCEPTED, HELD, REPEATED]
    assert outcomes(one, file(2, content=1, sender="110105"), again) == [ACCEPTED, ACCEPTED, REPEATED]
    elsewhere = file(2, content=1, name="名册_2024-2025-2.csv")
    assert outcomes(one, elsewhere, again) == [ACCEPTED, ACCEPTED, REPEATED]
    # Lines carry delivery and digest: within one delivery a content stands once.
    within = [file(1, name=f"{n}.csv", content=n % 2) for n in range(3)]
    assert outcomes(*within) == [ACCEPTED, ACCEPTED, REPEATED]


def test_too_many_refused_lines_hold_and_none_accepted_holds() -> None:
    assert outcomes(file(1, refused=6), file(2, content=1, refused=5)) == [HELD, ACCEPTED]
    # A share of few lines holds nothing, unless it is most of the file.
    assert outcomes(file(1, lines=30, refused=3)) == [ACCEPTED]
    assert outcomes(file(1, lines=30, refused=4), file(1, 2, lines=5, refused=3, content=1)) == [HELD, HELD]
    nothing = verdicts.judge([file(1, lines=3, refused=3)], DATASETS)
    assert [v.outcome for v in nothing.values()] == [HELD]


def test_lines_that_are_no_data_count_for_nothing() -> None:
    assert outcomes(file(1, lines=100, refused=11, aside=7)) == [ACCEPTED]
    assert outcomes(file(1, lines=100, refused=12, aside=7)) == [HELD]
    assert outcomes(file(1, lines=2, refused=2, aside=2)) == [HELD]
    template = replace(file(1, lines=3, refused=3, aside=3), example_count=2)
    for one, code in ((template, "only_examples"), (replace(template, line_count=4), "none_accepted")):
        (verdict,) = verdicts.judge([one], DATASETS).values()
        assert verdict == verdicts.Verdict(HELD, (reasons.text(code),))
    told = verdicts.judge([file(1, lines=100, refused=20, aside=10)], DATASETS)
    (reason,) = next(iter(told.values())).reasons
    assert reason == reasons.text("too_many_refused", refused=10, share=round(10 / 90, 6), most=0.05)
    remarks = [reasons.text("sheet_hidden", sheet="2班"), reasons.text("lines_aside", lines=7)]
    assert verdicts.counted(remarks, verdicts.ASIDE) == 7
    assert verdicts.counted(remarks[:1], verdicts.ASIDE) == verdicts.counted(remarks, verdicts.AGAIN) == 0


def test_lines_that_repeat_a_line_hold_no_file_unless_most_do() -> None:
    assert outcomes(file(1, lines=29, refused=5, again=2)) == [ACCEPTED]
    assert outcomes(file(1, lines=29, refused=6, again=2)) == [HELD]
    assert outcomes(file(1, lines=90, refused=30, again=30)) == [ACCEPTED]
    assert outcomes(file(1, lines=90, refused=31, again=31)) == [HELD]


def test_a_small_school_that_lost_few_pupils_is_not_held() -> None:
    assert outcomes(file(1, lines=9), file(2, lines=6, content=1)) == [ACCEPTED, ACCEPTED]
    assert outcomes(file(1, lines=10), file(2, lines=6, content=1)) == [ACCEPTED, HELD]

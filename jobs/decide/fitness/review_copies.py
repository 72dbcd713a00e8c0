"""Tests of copies within a school: pupils of a class who agree, items that run as in another class."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jobs.decide.fitness.review_frame import ZH, Floats, Frame
from jobs.decide.fitness.review_patterns import LEAST_PUPILS, Finding
from jobs.decide.fitness.review_tally import Tallies, Tally
from jobs.decide.fitness.suspicion import SMALLEST_P

# Chance agreements are more frequent than independent items let them be.
_RELATED = 1.6


def tally_rows(frame: Frame) -> Tally:
    """Pupils of one class and sex who agree in more items than chance explains."""
    codes = [code for code in frame.values if code != "pull_up"]
    same = frame.same
    p, evidence = np.full(frame.count, np.nan), np.full(frame.count, None, object)
    for at, rows in _class_rows(frame):
        smallest, pairs, involved = 1.0, 0, set()
        for sex in (1, 2):
            own = rows[frame.sex[rows] == sex]
            if len(own) < 3:
                continue
            used = [c for c in codes if (~np.isnan(frame.values[c][own])).sum() > 2]
            matrix = np.stack([frame.values[c][own] for c in used]) if used else np.zeros((0, len(own)))
            agree = (matrix[:, :, None] == matrix[:, None, :]).sum(axis=0)
            chance = np.array([min(0.5, _RELATED * np.nan_to_num(same[c][own[0]], nan=0.02)) for c in used])
            tail = _poisson_binomial_tail(np.maximum(chance, 1e-4))
            upper = np.triu_indices(len(own), 1)
            pairs += len(upper[0])
            p_pairs = tail[np.minimum(agree[upper], len(used))]
            if len(p_pairs):
                smallest = min(smallest, float(p_pairs.min()))
                close = p_pairs < 1e-5
                involved |= set(own[upper[0][close]].tolist()) | set(own[upper[1][close]].tolist())
        if pairs:
            p[at] = min(1.0, max(smallest * pairs, SMALLEST_P))
            if involved:
                lines = _lines(frame, sorted(involved))
                evidence[at] = f"{len(involved)} 名学生的多数项目与同班另一人完全相同{lines}"
    return {"rows.p": p, "rows.evidence": evidence}


def copied_rows(tallies: Tallies) -> Finding:
    """Flags classes with such pupils."""
    return Finding("copied_rows", "整行雷同", tallies["rows.p"], tallies.said("rows.evidence"), is_fine=False)


def _lines(frame: Frame, rows: list[int]) -> str:
    if "line_number" not in frame.rows:
        return ""
    numbers = frame.rows["line_number"].iloc[rows].tolist()
    return "(第 " + "、".join(str(int(n)) for n in numbers[:8]) + (" 等" if len(numbers) > 8 else "") + " 行)"


def _poisson_binomial_tail(chance: Floats) -> Floats:
    """P(at least m agree) for m = 0 … items, each item by its own chance."""
    mass = np.array([1.0])
    for q in chance:
        mass = np.convolve(mass, [1 - q, q])
    return np.clip(np.cumsum(mass[::-1])[::-1], SMALLEST_P, 1)


def _class_rows(frame: Frame) -> list[tuple[int, NDArray[np.int64]]]:
    order = np.argsort(frame.klass, kind="stable")
    bounds = np.searchsorted(frame.klass[order], np.arange(frame.count + 1))
    return [(at, order[bounds[at] : bounds[at + 1]]) for at in range(frame.count)]


def tally_columns(frame: Frame) -> Tally:
    """An item whose values run as in another class of the same school and grade.

    Of two classes that agree, the flagged one is that whose pupils the values fit worse, by their other items
    and their year before; the other class is named.
    """
    same, before = frame.same, frame.normal_before
    p, evidence = np.full(frame.count, 1.0), np.full(frame.count, None, object)
    rows_of = dict(_class_rows(frame))
    keys = frame.keys
    for _, group in keys.groupby(["school_code", "fitness_grade_code"]):
        numbers = group.index.tolist()
        tried = max(len(numbers) - 1, 1) * len(frame.values)
        for one, other in itertools.combinations(numbers, 2):
            copied: list[str] = []
            smallest = 1.0
            for code in frame.values:
                if code == "pull_up":
                    continue
                hits, count, chance = 0, 0, 0.0
                for sex in (1, 2):
                    left = rows_of[one][frame.sex[rows_of[one]] == sex]
                    right = rows_of[other][frame.sex[rows_of[other]] == sex]
                    size = min(len(left), len(right))
                    a, b = frame.values[code][left[:size]], frame.values[code][right[:size]]
                    known = ~np.isnan(a) & ~np.isnan(b)
                    if known.any():
                        hits += int((a[known] == b[known]).sum())
                        count += int(known.sum())
                        chance = max(chance, float(np.nan_to_num(same[code][left[0]], nan=0.02)))
                if count >= LEAST_PUPILS and hits > 3:
                    own = float(stats.binom.sf(hits - 1, count, min(0.5, max(_RELATED * chance, 1e-3))))
                    if own * tried < 1e-4:
                        copied.append(code)
                    smallest = min(smallest, max(own, SMALLEST_P))
            smallest = min(1.0, smallest * tried)
            if copied:
                fits = [_fit(frame, rows_of[at], copied, before) for at in (one, other)]
                worse, better = (one, other) if fits[0] <= fits[1] else (other, one)
                if smallest < p[worse]:
                    p[worse] = smallest
                names = "、".join(ZH[code] for code in copied)
                sentence = "{}与本校 {} 班逐人相同"
                evidence[worse] = sentence.format(names, keys["class_code"][better])
                if evidence[better] is None:
                    told = sentence.format(names, keys["class_code"][worse])
                    evidence[better] = told + "(数值更符合本班学生)"
            else:
                for at in (one, other):
                    p[at] = min(p[at], smallest)
    return {"columns.p": p, "columns.evidence": evidence}


def copied_columns(tallies: Tallies) -> Finding:
    """Flags the classes with such items that they fit worse."""
    said = tallies.said("columns.evidence")
    return Finding("copied_columns", "与他班同列雷同", tallies["columns.p"], said, is_fine=False)


def _fit(frame: Frame, rows: NDArray[np.int64], codes: list[str], before: dict[str, Floats]) -> float:
    """Mean correlation of the values with the same pupils' other items and their year before."""
    others = [c for c in frame.values if c not in (*codes, "height", "weight")]
    other = np.nanmean(
        np.stack([np.nan_to_num(frame.normal[c][rows]) for c in others] or [np.zeros(len(rows))]), axis=0
    )
    found = []
    for code in codes:
        own = frame.normal[code][rows]
        then = np.nan_to_num(before[code][rows]) if code in before else np.zeros(len(rows))
        guess = other + then
        known = ~np.isnan(own)
        if known.sum() > 4 and np.std(own[known]) > 0 and np.std(guess[known]) > 0:
            found.append(float(np.corrcoef(own[known], guess[known])[0, 1]))
    return float(np.mean(found)) if found else 0.0

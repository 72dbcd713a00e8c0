"""Classes whose results should be reviewed (待复核): one calibrated suspicion score each, with the evidence.

A flag is no accusation: it asks somebody to look. A repair is suggested and never made. Method, figures and
limits: docs/decisions/fitness-review.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.decide.fitness import review_copies as copies
from jobs.decide.fitness import review_history as history
from jobs.decide.fitness import review_patterns as patterns
from jobs.decide.fitness.review_frame import CLASS_KEY, Frame, Usual, joined, make_frame, placed
from jobs.decide.fitness.review_patterns import Finding
from jobs.decide.fitness.review_tally import Tallies, Tally, gather
from jobs.decide.fitness.suspicion import SMALLEST_P, combine, false_discovery, set_right

# Expected share of honest classes among the flagged.
FALSE_DISCOVERY = 0.02
METHOD = "fitness_review_1"
# Evidence that is shown beside a class: this unusual among honest classes, or more.
_TOLD_BELOW = 0.001


_TALLIES: tuple[Callable[[Frame], Tally], ...] = (
    patterns.tally_round,
    patterns.tally_digits,
    patterns.tally_steps,
    patterns.tally_normal,
    patterns.tally_roll,
    patterns.tally_weight,
    patterns.tally_foreign,
    copies.tally_rows,
    copies.tally_columns,
    history.tally_changes,
    history.tally_growth,
    history.tally_height,
    history.tally_recheck,
)
_JUDGES: tuple[Callable[[Tallies], Finding], ...] = (
    patterns.heaping,
    patterns.last_digits,
    patterns.thresholds,
    copies.copied_rows,
    copies.copied_columns,
    patterns.too_alike,
    patterns.too_good,
    patterns.not_on_roll,
    patterns.weight_unit,
    patterns.foreign_items,
    history.unlike_recheck,
    history.repeated_year,
    history.smooth_growth,
    history.unlike_before,
    history.jump,
    history.impossible_growth,
)


@dataclass(frozen=True)
class Review:
    """`classes` and `schools`: one row each, most suspicious first. `evidence`: one per class and test."""

    classes: pd.DataFrame
    schools: pd.DataFrame
    evidence: pd.DataFrame


def review(
    results: pd.DataFrame,
    previous: pd.DataFrame | None = None,
    rechecks: pd.DataFrame | None = None,
    false_discovery_share: float = FALSE_DISCOVERY,
) -> Review:
    """Judge every class of one school year against all classes of that year, all in memory.

    In: results of one kind and year as `review_frame.make_frame` takes them, with `pupil_key`; the same
    pupils' results of the year before; the bureau's recheck of this year (both may be None). Out: as
    `review_parts`.
    """
    usual_before = Usual()
    if previous is not None and len(previous):
        before = previous
        odd = review_parts(lambda: [before], Usual(), false_discovery_share).classes
        previous = without(previous, odd.loc[odd["is_flagged"], CLASS_KEY])
        usual_before = usual_of([previous])
    whole = joined(results, previous, rechecks)
    return review_parts(lambda: [whole], usual_before, false_discovery_share)


def review_parts(
    parts: Callable[[], Iterable[pd.DataFrame]],
    usual_before: Usual,
    false_discovery_share: float = FALSE_DISCOVERY,
) -> Review:
    """Judge every class of one school year against all classes of that year, one part in memory at a time.

    In: `parts` gives the year's results anew at each call, whole schools in a part, as `review_frame.joined`
    makes them; `usual_before` is what was usual among all results of the year before. Classes of fewer than
    eight pupils are judged by copies, roll and units only. Out: `p_value` (chance that an honest class looks
    so odd), `q_value` (Benjamini–Hochberg), `suspicion_score` (−log10 of p), `is_flagged` (q below the
    share). The p-value of a school is that of its most suspicious class, corrected for its number of classes.
    How the schools are parted changes nothing.
    """
    usual = usual_of(parts())
    frames = (placed(part, usual, usual_before) for part in parts())
    tallies = gather(frames, _TALLIES)
    findings = [judge(tallies) for judge in _JUDGES]
    for finding in findings:
        if finding.is_fine:
            finding.p = set_right(finding.p)
    p = combine([finding.p for finding in findings])
    q = false_discovery(p)
    classes = tallies.keys.assign(
        p_value=p,
        q_value=q,
        suspicion_score=np.round(-np.log10(p), 3),
        is_flagged=np.nan_to_num(q, nan=1.0) < false_discovery_share,
    )
    evidence = _evidence(tallies.keys, findings)
    strongest = evidence.sort_values("p_value", kind="stable").drop_duplicates(CLASS_KEY)
    classes = classes.merge(
        strongest[[*CLASS_KEY, "test_code"]].rename(columns={"test_code": "main_test_code"}),
        on=CLASS_KEY,
        how="left",
    )
    order = ["p_value", *CLASS_KEY]
    classes = classes.sort_values(order, kind="stable").reset_index(drop=True)
    return Review(classes, _schools(classes, false_discovery_share), evidence)


def usual_of(parts: Iterable[pd.DataFrame]) -> Usual:
    """What is usual among these results."""
    usual = Usual()
    for part in parts:
        frame = make_frame(part)
        usual.add(frame.group, frame.measures)
    return usual


def without(results: pd.DataFrame, odd: pd.DataFrame) -> pd.DataFrame:
    """Results without some classes: beside those that look fabricated, an honest class looks odd."""
    marked = results.merge(odd[CLASS_KEY].assign(_is_odd=True), on=CLASS_KEY, how="left")
    return results[marked["_is_odd"].isna().to_numpy()]


def _schools(classes: pd.DataFrame, false_discovery_share: float) -> pd.DataFrame:
    """One row per school: `pupil_count, class_count, flagged_class_count`, and the score as for classes."""
    schools = (
        classes.groupby("school_code", sort=True)
        .agg(
            pupil_count=("pupil_count", "sum"),
            class_count=("class_code", "size"),
            judged=("p_value", "count"),
            flagged_class_count=("is_flagged", "sum"),
            least=("p_value", "min"),
        )
        .reset_index()
    )
    one_class = schools["least"].clip(upper=1 - 1e-12).to_numpy()
    p = np.clip(-np.expm1(schools["judged"].to_numpy() * np.log1p(-one_class)), SMALLEST_P, 1)
    q = false_discovery(p)
    schools = schools.assign(
        p_value=p,
        q_value=q,
        suspicion_score=np.round(-np.log10(p), 3),
        is_flagged=np.nan_to_num(q, nan=1.0) < false_discovery_share,
    ).drop(columns=["judged", "least"])
    return schools.sort_values(["p_value", "school_code"], kind="stable").reset_index(drop=True)


def _evidence(keys: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    rows = []
    for finding in findings:
        for at in np.flatnonzero(np.nan_to_num(finding.p, nan=1.0) < _TOLD_BELOW):
            rows.append(
                {
                    "school_code": keys["school_code"][at],
                    "class_code": keys["class_code"][at],
                    "test_code": finding.name,
                    "test_zh": finding.zh,
                    "p_value": float(finding.p[at]),
                    "evidence": finding.evidence.get(int(at), finding.zh),
                    "likely_repair": finding.repair.get(int(at)),
                }
            )
    columns = ["school_code", "class_code", "test_code", "test_zh", "p_value", "evidence", "likely_repair"]
    return pd.DataFrame(rows, columns=columns)

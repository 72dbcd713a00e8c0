"""Classes whose results should be reviewed (待复核): one calibrated suspicion score each, with the evidence.

A flag is no accusation: it asks somebody to look. A repair is suggested and never made. Method, figures and
limits: docs/decisions/fitness-review.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.decide.fitness import review_history as history
from jobs.decide.fitness import review_patterns as patterns
from jobs.decide.fitness.review_frame import make_frame
from jobs.decide.fitness.review_patterns import Finding
from jobs.decide.fitness.suspicion import SMALLEST_P, combine, false_discovery, set_right

# Expected share of honest classes among the flagged.
FALSE_DISCOVERY = 0.02
METHOD = "fitness_review_1"
# Evidence that is shown beside a class: this unusual among honest classes, or more.
_TOLD_BELOW = 0.001


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
    """Judge every class of one school year against all classes of that year.

    In: results of one kind and year as `review_frame.make_frame` takes them; the same pupils' results of the
    year before; the bureau's recheck of this year (both may be None). Classes of fewer than eight pupils are
    judged by copies, roll and units only. Out: `p_value` (chance that an honest class looks so odd),
    `q_value` (Benjamini–Hochberg), `suspicion_score` (−log10 of p), `is_flagged` (q below the share). The
    p-value of a school is that of its most suspicious class, corrected for its number of classes.
    """
    frame = make_frame(results)
    if previous is not None and len(previous):
        previous = _sound(previous, false_discovery_share)
    before = history.Before(frame, previous)
    findings: list[Finding] = [
        patterns.heaping(frame),
        patterns.last_digits(frame),
        patterns.thresholds(frame),
        patterns.copied_rows(frame),
        patterns.copied_columns(frame, before.normal),
        patterns.too_alike(frame),
        patterns.too_good(frame),
        patterns.not_on_roll(frame),
        patterns.weight_unit(frame),
        patterns.foreign_items(frame),
        history.unlike_recheck(frame, rechecks),
    ]
    if before:
        findings += [
            history.repeated_year(frame, before),
            history.smooth_growth(frame, before),
            history.unlike_before(frame, before),
            history.jump(frame, before),
            history.impossible_growth(frame, before),
        ]
    for finding in findings:
        if finding.is_fine:
            finding.p = set_right(finding.p)
    p = combine([finding.p for finding in findings])
    q = false_discovery(p)
    classes = frame.keys.assign(
        p_value=p,
        q_value=q,
        suspicion_score=np.round(-np.log10(p), 3),
        is_flagged=np.nan_to_num(q, nan=1.0) < false_discovery_share,
    )
    evidence = _evidence(frame.keys, findings)
    strongest = evidence.sort_values("p_value").drop_duplicates(["school_code", "class_code"])
    classes = classes.merge(
        strongest[["school_code", "class_code", "test_code"]].rename(columns={"test_code": "main_test_code"}),
        on=["school_code", "class_code"],
        how="left",
    )
    order = ["p_value", "school_code", "class_code"]
    classes = classes.sort_values(order, kind="stable").reset_index(drop=True)
    return Review(classes, _schools(classes, false_discovery_share), evidence)


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


def _sound(previous: pd.DataFrame, false_discovery_share: float) -> pd.DataFrame:
    """Last year's results without classes that look fabricated: beside those, an honest class looks odd."""
    odd = review(previous, None, None, false_discovery_share).classes
    odd = odd.loc[odd["is_flagged"], ["school_code", "class_code"]].assign(_is_odd=True)
    marked = previous.merge(odd, on=["school_code", "class_code"], how="left")
    return previous[marked["_is_odd"].isna().to_numpy()]


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

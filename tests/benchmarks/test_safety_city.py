"""The alerts of a small city, graded on its truth, keep the budget of docs/decisions/safety-rules.md."""

from __future__ import annotations

from benchmarks.safety import city


def test_alerts_keep_the_budget_and_find_the_clusters() -> None:
    graded = city.grade(0.02, 9601)
    share, _, late, false = city.summary([graded], "both")
    assert graded.school_years > 80
    assert len(graded.clusters) >= 3
    assert share >= 0.75, "of a handful, one may be missed"
    assert late <= 6
    assert false <= city.BUDGET
    assert city.summary([graded], "statutory rules")[3] <= false, "detection adds alerts"

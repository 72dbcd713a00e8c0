"""Campus safety: early warning from daily and weekly counts, statutory rules, alerts."""

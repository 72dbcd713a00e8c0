"""Small counts of public tables are hidden here and nowhere else, by proof: docs/decisions/suppression.md."""

"""The report on one judge's verdicts."""

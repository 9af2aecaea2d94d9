"""Files: pairs, verdicts, votes and rows, read and written."""

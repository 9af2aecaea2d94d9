"""Data sets with people's votes, one a file."""

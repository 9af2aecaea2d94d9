"""Public data sets with human votes, and how well a judge agrees with them. `judge bench` starts it."""

"""`judge bench`: judges on a data set, as a result file."""

"""Metrics of a judge against people's votes, one kind a file, over the arrays of `judge.metrics.panel`.

Every function returns a `judge.metrics.bootstrap.Measure`: sums a question and what is made of them, ready
for an interval, or a few of them by name. None stands where a judge does not give what a metric needs.
"""

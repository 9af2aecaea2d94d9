"""Turns traces of the slow judge into a fast one: collect, select, train. `judge distill` starts it."""

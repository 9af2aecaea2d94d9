"""From traces of the slow judge to a fast one: collect, select, train. `judge distill` starts it."""

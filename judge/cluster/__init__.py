"""A judge over millions of pairs on many machines: Ray Data runs it, the functions are those of one machine.

    files -> JSON lines -> spans -> checked -> blocks -> verdict shards, one a block -> manifest -> verdicts
    sources               plan                 worker    judge.ledger.verdictshards   running     merging

Ray is imported inside functions, and only where a run is asked for.
"""

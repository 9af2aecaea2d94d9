"""System 2 into System 1 beyond judging: four tasks of Yu et al. (arXiv:2407.06023), each as one table.

    questions -> System 2, sampled -> filter -> rows -> student -> the test questions, answered at once

`python -m benchmarks.system2 TASK FOLDER` goes the whole way; docs/system2.md says what came out.
"""

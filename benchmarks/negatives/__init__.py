"""What wrong chains of thought teach: the control of "Turning dust into gold" on GSM8K (arXiv:2312.12832).

    questions -> a teacher's chains, sampled -> right and wrong ones -> students -> the test questions, solved
                                                  and a ranker       -> votes over samples of one student

This is the one control in which right answers of a data set may teach: the paper parts chains by them, and
no judge is made here. Everywhere else a known answer measures only.

`python -m benchmarks.negatives FOLDER` goes the whole way; docs/wrong-traces.md says what came out.
"""

"""All that is worth a rented GPU, as one command that needs no network: `python -m distill.lease`.

Steps run in order of worth until the time is up; each writes what it found at once. What was read is in the
ledger and not read again, and a student's stages that are done are not done again; parity and speed are
measured anew. `steps.py` has the steps, `students.py` the recipes of the students, `tables.py` what is said
of them on pairs with labels.
"""

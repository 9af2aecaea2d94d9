"""`judge rank`: which of these models is best? Their answers are compared where the ranking is in doubt."""

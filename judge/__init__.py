"""A pairwise LLM judge that answers in four tokens, in both orders."""

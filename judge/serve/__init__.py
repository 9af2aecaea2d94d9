"""`judge serve`: one loaded judge for many callers, over HTTP."""

"""Every reading as it was made, in one SQLite file, and shards of it."""

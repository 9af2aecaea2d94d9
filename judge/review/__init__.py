"""What the review app knows, as plain functions: votes, queues, agreement of reviewers."""

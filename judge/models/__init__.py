"""Base models and adapters: where weights come from, their hashes and manifests."""

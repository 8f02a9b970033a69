"""The result set on disk."""

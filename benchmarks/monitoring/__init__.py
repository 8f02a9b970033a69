"""Watching the lab: what the runner tells Prometheus, and what is asked of it."""

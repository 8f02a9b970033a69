"""From a stored result set to what can be said of it: pure functions that read the result set and nothing else."""

"""Pictures and reports: what a person reads of a result set. Reads the result set and its analysis, nothing else."""

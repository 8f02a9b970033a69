"""Where a benchmark runs: as processes of this machine, or as containers."""

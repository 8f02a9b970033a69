"""What a run brought back, and pure arithmetic on it."""

"""What is asked for, before anything is run: pure data and pure functions."""

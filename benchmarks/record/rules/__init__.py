"""The rules that hold for a run of any scenario, each beside what it looks at."""

"""The lab itself: scenarios, loads, where it runs, the runner, results and their statistics, the command line."""

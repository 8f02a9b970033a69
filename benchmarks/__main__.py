"""``python -m benchmarks``: the lab's command line."""

from benchmarks.cli import main

main()

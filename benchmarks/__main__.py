"""``python -m benchmarks``: the lab's command line."""

from benchmarks.cli.main import main

main()

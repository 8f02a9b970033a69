"""``python -m benchmarks``: the lab's command line, in an environment that holds nothing but what it heeds."""

import os
import sys

from benchmarks.run.environment import runner_environment

sealed = runner_environment(os.environ)
if sealed != dict(os.environ):
    os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], sealed)

from benchmarks.cli.main import main  # noqa: E402

main()

"""What a framework says of itself, asked of its bridge without a node."""

import json
import os
import subprocess
from typing import Any

from benchmarks.checkout import CHECKOUT
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import environment_of, interpreter


def ask_framework(framework: str, order: dict[str, Any]) -> dict[str, Any]:
    """One order to a framework's bridge, started for it alone. Raises LabError with what the framework says."""
    command = [str(interpreter(environment_of(framework))), "-m", "tasks.bridge", framework]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        command, input=json.dumps(order) + "\n", capture_output=True, text=True, cwd=CHECKOUT, env=environment, check=False
    )
    if done.returncode != 0 or not done.stdout:
        raise LabError(f"framework {framework} cannot be loaded: {done.stderr.strip()[-800:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise LabError(f"framework {framework}: {answer['error']}")
    return answer

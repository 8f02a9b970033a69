"""What a framework says of itself, asked of its bridge without a node."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from dotenv import dotenv_values

from benchmarks.checkout import CHECKOUT
from benchmarks.run.environment import documented, lab_environment
from benchmarks.run.labs.lab import LabError
from benchmarks.run.labs.local import environment_of, interpreter
from tasks.contract import FRAMEWORKS_PATH_VARIABLE

_DATABASE = "redis://"


def database_variables() -> dict[str, str]:
    """Which databases the user wants frameworks to have: what the environment, or else ``.env``, says by those variables that
    ``.env.example`` has a database for."""
    values = {**dotenv_values(CHECKOUT / ".env"), **os.environ}
    return {
        name: value for name, example in documented().items() if example.startswith(_DATABASE) and (value := values.get(name))
    }


def framework_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What a framework's process has that is no node's: where the user's own frameworks and databases are, and ``variables``."""
    own = {FRAMEWORKS_PATH_VARIABLE: os.environ.get(FRAMEWORKS_PATH_VARIABLE, "")}
    return lab_environment({**own, **database_variables(), **variables})


def ask_framework(framework: str, order: dict[str, Any], variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One order to a framework's bridge, started for it alone, with ``variables`` besides. Raises LabError with what it says."""
    command = [str(interpreter(environment_of(framework))), "-m", "tasks.bridge", framework]
    environment = framework_environment(variables or {})
    with tempfile.TemporaryDirectory(prefix="queuelab-") as empty:
        done = subprocess.run(
            command, input=json.dumps(order) + "\n", capture_output=True, text=True, cwd=empty, env=environment, check=False
        )
    if done.returncode != 0 or not done.stdout:
        raise LabError(f"framework {framework} cannot be loaded: {done.stderr.strip()[-800:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise LabError(f"framework {framework}: {answer['error']}")
    return answer

"""Runs a worker's commands under memray, which writes down every allocation of a process and of those that it forks."""

import os
from pathlib import Path

from infrastructure.agent.errors import SupervisionError
from tasks.contract import WorkerCommand

DIR_VARIABLE, PATH_VARIABLE = "LAB_MEMRAY_DIR", "LAB_MEMRAY_PATH"


def under_memray(command: WorkerCommand, packages: Path, python_path: str, output: Path) -> WorkerCommand:
    """The command as ``python -m memray run`` has it. ``packages`` holds memray and comes behind ``python_path``; ``output`` is
    the file for its allocations, with ``.PID`` appended for those of processes that it forks. Raises SupervisionError for a
    command that gives the interpreter options of its own: they would get lost."""
    python, *rest = command.arguments
    if not rest or (rest[0].startswith("-") and rest[0] != "-m"):
        raise SupervisionError(f"{' '.join(command.arguments)} cannot be run under memray: it must be a module (-m) or a file")
    path = f"{command.environment.get('PYTHONPATH', python_path)}{os.pathsep}{packages}"
    arguments = (python, "-m", "memray", "run", "--quiet", "--follow-fork", "--output", os.fspath(output), *rest)
    return WorkerCommand(arguments, {**command.environment, "PYTHONPATH": path})

"""The environments of the runner and of what it starts (see :mod:`infrastructure.environment`). Standard library only: the runner
seals itself before it imports anything that reads variables."""

import os
import re
from collections.abc import Mapping

from benchmarks.checkout import CHECKOUT
from infrastructure.environment import made

_USERS = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR")
_TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES")
_DOCKER = ("SSH_AUTH_SOCK", "COMPOSE_PROJECT_NAME")
_PREFIXES = ("LC_", "BENCHMARK_", "LAB_", "DOCKER_")
_DOCUMENTED = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)", re.MULTILINE)
_OF_KUBERNETES = re.compile(r"(tcp|udp|sctp)://")
"""What a cluster sets ``NAME_PORT`` to for each of its services, whether one asks for it or not."""


def documented() -> dict[str, str]:
    """The variables that a user may set, as ``.env.example`` lists them, with what it says there."""
    return dict(_DOCUMENTED.findall((CHECKOUT / ".env.example").read_text(encoding="utf-8")))


def runner_environment(users: Mapping[str, str]) -> dict[str, str]:
    """Of a user's environment what a runner heeds: what is documented to set something, and what a terminal and a Docker client
    need."""
    ours = documented()
    kept = {
        name: value
        for name, value in users.items()
        if name in (*_USERS, *_TERMINAL, *_DOCKER)
        or name.startswith(_PREFIXES)
        or (name in ours and not _OF_KUBERNETES.match(value))
    }
    return kept | {"PYTHONPATH": str(CHECKOUT), "MPLCONFIGDIR": str(CHECKOUT / ".cache" / "matplotlib")}


def lab_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What a process that the runner starts has: ``variables``, and the lab's packages to import from. Nothing keeps Python's
    bytecode from the disk: without it each start would compile all over again, which shows in a worker's memory and CPU."""
    return made(os.environ, {"PYTHONPATH": str(CHECKOUT), **variables})

"""Where the lab lies, and how it is called."""

import shlex
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
"""The folder of this checkout."""


def lab_command(*words: object) -> str:
    """A recipe with its arguments as it can be pasted into a shell of the folder that this process was called from."""
    lab = "./lab" if Path.cwd() == CHECKOUT else CHECKOUT / "lab"
    return shlex.join(map(str, (lab, *words)))

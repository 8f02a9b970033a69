"""What a command says, and how it ends."""

import sys

from rich.console import Console
from rich.text import Text

INTERRUPTED = 130
INVALID = 3
PLAIN_WIDTH = 120

console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
errors = Console(stderr=True)


class UserError(Exception):
    """Something that the user can put right; the text says what."""


def say(text: str) -> None:
    """A line that may hold a path: neither broken, for it is to be copied, nor read as markup."""
    console.print(Text(text), soft_wrap=True)


def complain(text: str) -> None:
    """What went wrong, where errors go."""
    errors.print(Text.assemble(("Error: ", "bold red"), text), soft_wrap=True)

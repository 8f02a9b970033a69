"""What a command says, and how it ends."""

import codecs
import io
import sys

from rich.console import Console
from rich.text import Text

_PLAIN = str.maketrans({"✓": "+", "✗": "x", "…": "...", "–": "-", "±": "+-", "µ": "u", "≤": "<=", "≥": ">=", "×": "x"})

INTERRUPTED = 130
INVALID = 3
PLAIN_WIDTH = 120

console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
errors = Console(stderr=True)


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    cannot = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(character if character.isascii() else "?" for character in cannot), error.end


def print_what_can_be_printed() -> None:
    """Have output that a terminal or a locale has no character for come in plain ones, rather than end the command."""
    codecs.register_error("plain", _in_plain_characters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


class UserError(Exception):
    """Something that the user can put right; the text says what."""


def say(text: str) -> None:
    """A line that may hold a path: neither broken, for it is to be copied, nor read as markup."""
    console.print(Text(text), soft_wrap=True)


def complain(text: str) -> None:
    """What went wrong, where errors go."""
    errors.print(Text.assemble(("Error: ", "bold red"), text), soft_wrap=True)

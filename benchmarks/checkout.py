"""Where the lab lies."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
"""The folder of this checkout."""

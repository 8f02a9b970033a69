"""Small result sets, kept as they were written, so that what is stored today can be read by every later version.

``good``
    four variants of eight runs: two of which no difference can be shown, one whose memory grows from run to run, one with an
    outlier; complete
``invalid``
    interrupted; lost tasks, a run that could not be made, a variant without any valid run, a variant that never ran
``single``
    one run of one variant, and no control

They come from seeded made-up events that went through the lab's own code: ``python -m tests.golden.make``.
"""

import tarfile
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent

Golden = Literal["good", "invalid", "single"]


def unpack(name: Golden, into: Path) -> Path:
    """The result set's folder, below ``into``."""
    with tarfile.open(FOLDER / f"{name}.tar.xz") as archive:
        archive.extractall(into, filter="data")
        return into / archive.getnames()[0]

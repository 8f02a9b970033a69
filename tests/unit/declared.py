"""Everything of a kind that the lab declares anywhere."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache

import benchmarks
from benchmarks.record.flags import FlagKind


def modules() -> Iterator[str]:
    """The dotted names of all modules of the lab that can be imported without running it."""
    for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks."):
        if not module.name.endswith("__main__"):
            yield module.name


@cache
def flag_kinds() -> tuple[FlagKind, ...]:
    """Every flag that a module declares; one that is imported elsewhere counts once."""
    found = [value for name in modules() for value in vars(importlib.import_module(name)).values() if isinstance(value, FlagKind)]
    return tuple({id(kind): kind for kind in found}.values())

"""The studies, one module each: a question with factors, whose grid of points is run on the same engine as the scenarios.

To add a study, write ``benchmarks/studies/study_NAME.py`` with a module-level ``STUDY`` on
:class:`benchmarks.studies.study.Study`; it is found by its file's name, and nothing else in the lab names it.
``docs/adding-a-study.md`` has one whole.
"""

import importlib
import pkgutil
import re

from benchmarks.studies.study import Study

_MODULE = re.compile(r"study_[a-z0-9_]+")


PREFIX = "study_"


def short_name(study: Study) -> str:
    """What a user calls it: its name without what all studies' begin with."""
    return study.name.removeprefix(PREFIX)


def all_studies() -> dict[str, Study]:
    """All studies by name, in the order of these. Raises ValueError for one whose name is not its file's."""
    found: dict[str, Study] = {}
    for module in pkgutil.iter_modules(__path__):
        if _MODULE.fullmatch(module.name) is None:
            continue
        study: Study = importlib.import_module(f"{__name__}.{module.name}").STUDY
        if study.name != module.name:
            raise ValueError(f"{module.name}.py holds a study that calls itself {study.name!r}")
        found[study.name] = study
    return dict(sorted(found.items()))

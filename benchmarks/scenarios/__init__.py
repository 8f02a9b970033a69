"""The scenarios, one module each: what is offered, what is measured, and nothing of how runs are made.

To add a scenario, write ``benchmarks/scenarios/scenario_N_NAME.py`` with a module-level ``SCENARIO`` that meets
:class:`benchmarks.run.contract.Scenario`; it is found by its file's name, and nothing else in the lab names it. All there are
stand on :class:`benchmarks.scenarios.defaults.ScenarioDefaults`, which says what is the same for most. What several compute, and
what takes more than a few lines to compute, stands in :mod:`benchmarks.record`.

- ``name`` is the module's name, and result files are named after it; ``number`` is its N.
- ``phases(context)`` yields what each run goes through, one phase after another, and gets for each a function that looks at it.
  The warm-up comes before it and is not the scenario's affair, but for the tasks that a ``WorkerWish`` names for it. Workers are
  paused while a :class:`~tasks.loads.Prefilled` load is enqueued and let go when it is complete; every phase ends when all
  its tasks have ended. A phase with a ``start`` begins with that of its worker, which is not warm then. ``context.sizes`` holds
  every name of a preset; ``check(sizes)`` has said before that they make sense.
- ``unsupported(variant)`` says why a variant cannot run it, from what the framework's module declares that it lacks.
- ``measures(data)`` is pure arithmetic on what was recorded and returns exactly the keys of ``columns``, in that order, each
  name ending in its unit; None where nothing was measured, never 0 and never NaN. It must bear a run that ended early: phases
  missing, tables empty. Totals leave out the warm-up (phase number 0).
- ``summary`` picks the few measures that the terminal shows.
- ``better`` says of every measure that has a good direction which it is, so that a comparison can name the better variant.
- ``shares`` names columns that need the control's runs as well; they are filled in when the tables are written.
- ``flags(data)`` adds what only this scenario can judge; what holds for every run is in :mod:`benchmarks.record.flags`.
"""

import importlib
import pkgutil
import re

from benchmarks.run.contract import Scenario

_MODULE = re.compile(r"scenario_(\d+)_[a-z0-9_]+")


def all_scenarios() -> dict[str, Scenario]:
    """All scenarios by name, in the order of their numbers. Raises ValueError for one whose name or number is not its file's."""
    found: dict[int, Scenario] = {}
    for module in pkgutil.iter_modules(__path__):
        match = _MODULE.fullmatch(module.name)
        if match is None:
            continue
        scenario: Scenario = importlib.import_module(f"{__name__}.{module.name}").SCENARIO
        if (scenario.name, scenario.number) != (module.name, int(match[1])):
            raise ValueError(f"{module.name}.py holds a scenario that calls itself {scenario.name!r}, number {scenario.number}")
        found[int(match[1])] = scenario
    return {scenario.name: scenario for _, scenario in sorted(found.items())}

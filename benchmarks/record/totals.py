"""What every scenario's row ends with: the books over all measured phases, and what disturbed the host meanwhile."""

from collections.abc import Mapping

from benchmarks.record.rules.disturbance import foreign_cores, host_marks, limited_s, machine_speed, steal_share
from benchmarks.record.run_data import Measures, RunData, measured_phases

MACHINE_SPEED = "machine_speed"
"""A column that is against the set as far as it was made, until the whole set fills it
(:func:`benchmarks.results.tables.with_machine_speed`)."""

TOTAL_COLUMNS: Mapping[str, str] = {
    "attempted": "tasks sent, over all measured phases, as are the next four",
    "completed": "tasks that ended well",
    "failed": "tasks that ended by raising",
    "lost": "tasks acknowledged that never ended",
    "duplicated": "tasks executed more often than their retries explain",
    MACHINE_SPEED: "median speed of the machine at the marks of the run, by a fixed piece of work; 1 is the set's median",
    "foreign_cpu_cores": "cores that processes took which are not the lab's own, in the phase in which that was most",
    "limited_s": "s for which a CPU limit on the lab's own control groups held it back, summed over the cores",
    "steal_share": "share of the host's CPU time that its hypervisor withheld during the run",
    "load_1min": "highest 1-minute load of the host at the marks of the run",
}


def totals(data: RunData) -> Measures:
    """The measures of :data:`TOTAL_COLUMNS`; the warm-up is in none."""
    accounts = [phase.account for phase in measured_phases(data)]
    marks = host_marks(data)
    return {
        "attempted": sum(a.attempted for a in accounts),
        "completed": sum(a.completed for a in accounts),
        "failed": sum(a.failed for a in accounts),
        "lost": sum(a.lost for a in accounts),
        "duplicated": sum(a.duplicated for a in accounts),
        MACHINE_SPEED: machine_speed(data),
        "foreign_cpu_cores": foreign_cores(data),
        "limited_s": limited_s(data),
        "steal_share": steal_share(marks[0], marks[-1]) if marks else None,
        "load_1min": max((mark.load_1min for mark in marks), default=None),
    }

"""A whole suite: which runs, in which order, how many, and what is kept of each. The order and the count are pure functions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.plan.order import order_of_round
from benchmarks.plan.seeds import seed_of_run
from benchmarks.plan.suite_plan import Entry, SuitePlan
from benchmarks.record.enough import fewest_kept, wants_another_run
from benchmarks.record.flags import (
    REPEATED,
    RUN_FAILED,
    SCENARIO_FAILED,
    UNSUPPORTED,
    WORKER_DIED,
    Flag,
    Severity,
    exclusion,
    is_valid,
)
from benchmarks.record.rules.validity import run_flags
from benchmarks.record.run_data import RunResult
from benchmarks.record.soundness import sound_measures
from benchmarks.record.task_table import tasks_frame
from benchmarks.results.documents import ResultsDiskError, ResultSetError
from benchmarks.results.result_set import ResultSet
from benchmarks.results.stored_run import FIRST_SPEED, samples_frame
from benchmarks.run.calibration import CALIBRATIONS
from benchmarks.run.contract import Scenario
from benchmarks.run.labs.lab import Lab, LabError
from benchmarks.run.machine.speed import first_speeds
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.runner import Runner
from benchmarks.run.one_run.spec import RecordedRun, RunSpec, in_words
from benchmarks.run.watching import NO_BOARD, Board, Display, Together
from tasks.causes import cause
from tasks.contract import Variant


class Suite:
    """Makes all runs of a plan and stores each as it ends."""

    def __init__(
        self,
        plan: SuitePlan,
        scenarios: Sequence[Scenario],
        lab: Lab,
        results: ResultSet,
        display: Display,
        board: Board = NO_BOARD,
        flags: Sequence[Flag] = (),
    ) -> None:
        """``flags``: what must be said against every run of it, beside what is found in each."""
        self._plan = plan
        self._scenarios = scenarios
        self._lab = lab
        self._results = results
        self._display = display
        self._board = board
        self._flags = tuple(flags)
        self._facts: dict[str, float] = {}
        self._made: dict[tuple[str, str], list[RunResult]] = {}
        self._wanted: dict[tuple[str, str], bool] = {}
        """Whether another run is needed, as long as no further one was made: finding that out takes a bootstrap."""
        self._failed: dict[tuple[str, str], list[RunResult]] = {}
        """Those in whose place no other run was made yet."""
        self._faults: dict[str, str] = {}
        for stored in results.stored_runs():
            self._note_failure(stored.result)
            if stored.result.failure is None:
                self._remember(stored.result)

    def execute(self) -> None:
        """Make the runs that the result set does not hold yet, and in the place of those that failed when it was written before.
        After each the rows of its scenario are written, and the statistics of a scenario at its end. Raises LabError where the
        lab itself is broken: at once where nothing can be measured any more, else when all else is done."""
        if FIRST_SPEED not in self._results.facts():
            for name, value in first_speeds().items():
                self._results.store_fact(name, value)
        self._facts = self._results.facts()
        for name in sorted({name for scenario in self._scenarios for name in scenario.facts} - set(self._facts)):
            self._facts[name] = CALIBRATIONS[name](self._lab)
            self._results.store_fact(name, self._facts[name])
        with Runner(self._lab, Together((self._display, self._board))) as runner:
            for scenario in self._scenarios:
                try:
                    self._all_runs_of(runner, scenario)
                finally:
                    self._results.write_tables([scenario.name])
                self._display.end_scenario(scenario, self._results.rows(scenario.name), self._results.shares(scenario.name))
        if len(self._scenarios) > 1:
            # The machine's speed in a scenario's rows is relative to the whole set's, which later scenarios have moved.
            self._results.write_tables()
        if self._faults:
            raise LabError("\n".join(self._faults.values()))

    def _all_runs_of(self, runner: Runner, scenario: Scenario) -> None:
        """The planned runs, then those beyond: what the planned ones gave is shown before time is spent on more."""
        planned = range(1, self._plan.runs + 1)
        made = [self._round(runner, scenario, repetition) for repetition in planned]
        wanting = [entry.name for entry in self._plan.entries_of(scenario.name) if self._wants_another(scenario, entry)]
        if any(made) and wanting:
            rows, shares = self._results.rows(scenario.name), self._results.shares(scenario.name)
            self._display.end_planned_runs(scenario, rows, shares, wanting)
        for repetition in range(self._plan.runs + 1, self._plan.max_runs + 1):
            self._round(runner, scenario, repetition)

    def _round(self, runner: Runner, scenario: Scenario, repetition: int) -> int:
        """Make the runs of one repetition that are due. Returns how many those were."""
        made = 0
        entries = self._plan.entries_of(scenario.name)
        for entry in order_of_round(entries, self._plan.seed, scenario.name, repetition):
            if self._is_due(scenario, entry, repetition):
                self._run(runner, scenario, entry, repetition)
                made += 1
        return made

    def _remember(self, result: RunResult) -> None:
        key = (result.scenario, result.variant)
        self._made.setdefault(key, []).append(result)
        self._wanted.pop(key, None)

    def _note_failure(self, result: RunResult) -> None:
        """Keep in mind that a run failed, or that this one was made in the place of such a run."""
        failed = self._failed.setdefault((result.scenario, result.variant), [])
        if failed and REPEATED.among(result.flags):
            failed.remove(self._to_repeat(failed, result.repetition) or failed[0])
        if result.failure is not None:
            failed.append(result)

    def _to_repeat(self, failed: Sequence[RunResult], repetition: int) -> RunResult | None:
        """The failed run in whose place one of this repetition is: of the same, or any where it is beyond those planned."""
        same = (run for run in failed if run.repetition == repetition)
        return next(same, failed[0] if failed and repetition > self._plan.runs else None)

    def _results_of(self, scenario: Scenario, entry: Entry) -> list[RunResult]:
        return self._made.get((scenario.name, entry.name), [])

    def _wants_another(self, scenario: Scenario, entry: Entry) -> bool:
        key, plan = (scenario.name, entry.name), self._plan
        if key not in self._wanted:
            made = self._results_of(scenario, entry)
            self._wanted[key] = wants_another_run(made, scenario.headline, plan.runs, plan.max_runs)
        return self._wanted[key]

    def _is_due(self, scenario: Scenario, entry: Entry, repetition: int) -> bool:
        if any(r.repetition == repetition for r in self._results_of(scenario, entry)):
            return False
        return self._wants_another(scenario, entry)

    def _total(self) -> int:
        """How many runs the suite will have, as far as is known now."""
        planned = ((scenario, entry) for scenario in self._scenarios for entry in self._plan.entries_of(scenario.name))
        return sum(self._runs_of(scenario, entry) for scenario, entry in planned)

    def _runs_of(self, scenario: Scenario, entry: Entry) -> int:
        plan, made = self._plan, self._results_of(scenario, entry)
        if not self._wants_another(scenario, entry):
            return len(made)
        missing = plan.runs - fewest_kept(made)
        return min(plan.max_runs, len(made) + max(1, missing))

    def _run(self, runner: Runner, scenario: Scenario, entry: Entry, repetition: int) -> None:
        plan = self._plan
        made = sum(map(len, self._made.values())) + 1
        title = f"{scenario.title}, {entry.name} #{repetition}"
        self._display.begin_run(title, made, max(made, self._total()))
        framework = self._lab.variants()[entry.variant]
        variant = _described(runner, framework, entry)
        reason = None if variant is None else scenario.unsupported(variant)
        if reason is not None:
            self._store_unsupported(scenario, entry, framework, reason)
            self._display.end_run(title, f"unsupported: {reason}", True)
            return
        concurrency = plan.concurrency if variant is None else variant.concurrency(entry.track, plan.concurrency)
        spec = RunSpec(
            scenario=scenario,
            sizes=plan.sizes_of(scenario),
            facts={name: self._facts[name] for name in scenario.facts},
            variant=entry.variant,
            framework=framework,
            run=self._results.next_run(),
            repetition=repetition,
            seed=seed_of_run(plan.seed, scenario.name, repetition),
            processes=plan.processes,
            concurrency=entry.concurrency or concurrency,
            track=entry.track,
            warmup_s=plan.warmup_s,
            timeout_s=plan.run_timeout_s,
            earlier_speeds_per_s=self._results.machine_speeds_per_s(),
            point=entry.point,
        )
        self._board.begin_run(scenario.name, spec.framework, spec.variant, spec.run, repetition, max(made, self._total()))
        failed = self._to_repeat(self._failed.get((scenario.name, entry.name), []), repetition)
        repeats = () if failed is None else (REPEATED.flag(run=failed.run, reason=_first_line(failed.failure or "")),)
        recorded = runner.make(spec)
        result = self._store(recorded, entry.name, (*self._flags, *repeats))
        self._board.end_run(result.valid)
        self._results.write_rows(scenario.name)
        self._note_failure(result)
        self._remember(result)
        self._display.end_run(title, outcome_text(result, scenario), result.valid or exclusion(result.flags) is not None)
        if recorded.lab_fault is not None:
            if recorded.lab_fault.for_all:
                raise LabError(recorded.lab_fault.text)
            self._faults.setdefault(recorded.lab_fault.part, recorded.lab_fault.text)

    def _store(self, recorded: RecordedRun, name: str, standing: Sequence[Flag]) -> RunResult:
        """Store all that was recorded of a run, whatever its scenario makes of it. Returns its row."""
        result = replace(result_of(recorded, name, standing), epoch=self._results.epoch)
        raw = tasks_frame(recorded.tables), samples_frame(recorded.samples)
        record, spec, data = record_of(recorded), recorded.spec, recorded.data
        named = {} if data is None or result.failure else {"measured_in": spec.scenario.measured_in(data.context)}
        try:
            self._results.store_run(result, *raw, record | named, recorded.readings, recorded.logs)
        except ResultsDiskError:
            raise
        except ResultSetError as error:
            result = _not_reckoned(replace(result, measures={}, spoiled={}), cause(error), standing)
            self._results.store_run(result, *raw, record, recorded.readings, recorded.logs)
        return result

    def _store_unsupported(self, scenario: Scenario, entry: Entry, framework: str, reason: str) -> None:
        """One row that says so and why, in the place of all runs."""
        flag = UNSUPPORTED.flag(reason=reason)
        run = self._results.next_run()
        row = RunResult(
            scenario.name, framework, entry.name, run, 1, valid=False, flags=(flag,), track=entry.track, point=entry.point
        )
        result = replace(row, epoch=self._results.epoch)
        self._results.store_run(result, tasks_frame({}), samples_frame(()), {"executed_variant": entry.variant})
        self._results.write_rows(scenario.name)
        self._remember(result)


def result_of(recorded: RecordedRun, name: str, standing: Sequence[Flag] = ()) -> RunResult:
    """A run's row: its measures and flags, or its failure, with the flags that stand on every run."""
    spec, data = recorded.spec, recorded.data
    row = RunResult(
        scenario=spec.scenario.name,
        framework=spec.framework,
        variant=name,
        run=spec.run,
        repetition=spec.repetition,
        valid=False,
        failure=recorded.failure,
        track=spec.track,
        processes=None if data is None else data.worker.processes,
        concurrency=None if data is None else data.worker.concurrency,
        point=spec.point,
    )
    if recorded.failure is not None or data is None:
        died = data is not None and data.worker.died is not None
        code = WORKER_DIED if died else RUN_FAILED
        reason = recorded.failure or "its worker was never warm"
        return replace(row, failure=reason, flags=(code.flag(reason=_first_line(reason)), *standing))
    try:
        flags = (*run_flags(data), *spec.scenario.flags(data), *standing)
        sound = sound_measures(data, flags, spec.scenario.measures, spec.scenario.measured_in(data.context))
    except Exception as error:
        return _not_reckoned(row, in_words(error), standing)
    return replace(row, valid=is_valid(flags), flags=flags, measures=sound.measures, spoiled=sound.spoiled)


def _not_reckoned(row: RunResult, reason: str, standing: Sequence[Flag]) -> RunResult:
    """The row of a run of which all is recorded and nothing can be said."""
    return replace(row, valid=False, failure=reason, flags=(SCENARIO_FAILED.flag(reason=_first_line(reason)), *standing))


def _described(runner: Runner, framework: str, entry: Entry) -> Variant | None:
    """The variant of an entry; None where its node cannot be asked, which the run will say."""
    try:
        return runner.variant(framework, entry.variant)
    except NodeError:
        return None


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def outcome_text(result: RunResult, scenario: Scenario) -> str:
    """How a run ended, in one line."""
    if result.failure is not None:
        return result.failure.splitlines()[0]
    invalid = [f for f in result.flags if f.severity is Severity.INVALID]
    if invalid:
        return "; ".join(map(str, invalid))
    known = ((heading, result.measures.get(name)) for name, heading in scenario.summary.items())
    return ", ".join(f"{heading} {_short(value)}" for heading, value in known if value is not None)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def record_of(recorded: RecordedRun) -> dict[str, Any]:
    """What is kept of a run beside its row, its tasks and its samples: how its worker was made and how its phases went."""
    data = recorded.data
    return {
        "executed_variant": recorded.spec.variant,
        "sizes": dict(recorded.spec.sizes),
        "seed": recorded.spec.seed,
        "phase_names": dict(recorded.phase_names),
        "worker": None if data is None else data.worker,
        "producer": None if data is None else {"environment": data.producer_environment},
        "phases": [] if data is None else [phase.record for phase in data.phases.values()],
        "accounts": {} if data is None else {name: phase.account for name, phase in data.phases.items()},
    }

"""One run, as a life cycle of named steps: worker, warm-up, settle, phase, look, stop, collect.

Pure coordination: what is offered comes from the scenario, what happened comes from the event log and the readings. A step is a
function of the run in progress (:mod:`benchmarks.run.one_run.in_progress`), which is apart from what the run brings back
(:class:`benchmarks.run.one_run.spec.RecordedRun`).
"""

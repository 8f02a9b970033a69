"""What is read of the machine at the marks of a phase."""

from benchmarks.record.machine import QuotaReading
from benchmarks.run.machine.watch import MachineWatch

LAB = (QuotaReading("/above/the/lab", 0.5, 9, 4, 0.25), QuotaReading("/above", 2.0, 1, 0, 0.0))


def test_limits_on_the_lab_stand_beside_those_on_the_runner_each_once() -> None:
    own = MachineWatch(lambda _: False, lambda: ()).begin().quotas
    watch = MachineWatch(lambda _: False, lambda: (*own, *LAB))
    for reading in (watch.begin(), watch.mark()):
        assert [quota.group for quota in reading.quotas] == [quota.group for quota in (*own, *LAB)], "the runner's own first"
        assert reading.quotas[len(own) :] == LAB

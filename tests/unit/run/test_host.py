"""The machine, as it says itself what it is and how it is limited."""

import time
from pathlib import Path

import psutil

from benchmarks.run.host import host_facts, read_host


def test_the_host_is_described_by_what_it_says_itself() -> None:
    facts = host_facts()
    assert facts["logical_cores"] == psutil.cpu_count()
    assert facts["memory_bytes"] == psutil.virtual_memory().total
    assert facts["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    assert facts["limits"]["open_files"] is None or facts["limits"]["open_files"] > 0


def test_cpu_time_counts_every_core_idle_or_not() -> None:
    begin = read_host()
    time.sleep(0.5)
    end = read_host()
    assert end.at_ns - begin.at_ns >= 500_000_000
    cores = (end.cpu_total_s - begin.cpu_total_s) * 1e9 / (end.at_ns - begin.at_ns)
    # Ticks of 10 ms and a stolen moment blur half a second; a state left out or counted twice would not pass.
    assert 0.5 * (psutil.cpu_count() or 1) <= cores <= 1.5 * (psutil.cpu_count() or 1)
    assert end.cpu_steal_s >= begin.cpu_steal_s >= 0
    assert end.swapped_pages >= begin.swapped_pages >= 0

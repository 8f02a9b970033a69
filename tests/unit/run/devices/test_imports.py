"""Reading the import times that Python logs."""

import subprocess
import sys

from benchmarks.run.devices.imports import read_imports

LOG = """import time: self [us] | cumulative | imported package
import time:       120 |        120 |   encodings.aliases
a worker's own words, ünd mehr
import time:      1500 |       1620 | site
import time:        30 |         30 |     tasks.workloads
import time:   interrupted
"""


def test_every_import_is_a_row_and_knows_whether_the_worker_was_connected() -> None:
    connected_at = len(LOG.partition("import time:        30")[0].encode())
    frame = read_imports(["", LOG], [0, connected_at])
    assert frame.to_dict("records") == [
        {"command": 1, "position": 0, "module": "encodings.aliases", "self_us": 120, "connected": False},
        {"command": 1, "position": 1, "module": "site", "self_us": 1500, "connected": False},
        {"command": 1, "position": 2, "module": "tasks.workloads", "self_us": 30, "connected": True},
    ]
    assert list(read_imports([], []).columns) == list(frame.columns)


def test_what_this_python_logs_is_understood() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import json.tool"], capture_output=True, text=True, check=True
    )
    frame = read_imports([done.stderr], [len(done.stderr)])
    assert {"site", "json", "json.tool"} <= set(frame["module"])
    assert not frame["connected"].any()
    assert (frame["self_us"] >= 0).all()

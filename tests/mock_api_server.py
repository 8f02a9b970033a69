"""The mock API in a process of its own, for tests that ask it for something."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.run.labs.local import free_port


@contextmanager
def running_mock_api(**variables: str) -> Iterator[str]:
    """Its address while it serves; it must end by itself when it is asked to."""
    port = free_port()
    environment = {**os.environ, "MOCK_API_PORT": str(port), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "infrastructure.mock_api"], env=environment, stderr=subprocess.PIPE, text=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(500):
            try:
                assert httpx.get(f"{url}/health").status_code == 200
                break
            except httpx.ConnectError:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.02)
        yield url
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()

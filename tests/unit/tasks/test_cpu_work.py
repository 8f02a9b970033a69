"""The CPU-bound bodies compute what they say, and hold or release the GIL as they say."""

import hashlib
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.cpu_work import PASSWORD, PBKDF2, PBKDF2_PYTHON, SALT, derive, derive_in_python
from tasks.workloads import WORKLOADS, Workload

ID = (1, 1, 0, 1)


@given(st.integers(1, 50))
def test_both_derive_the_same_key(iterations: int) -> None:
    key = hashlib.pbkdf2_hmac("sha256", PASSWORD, SALT, iterations)
    assert derive(iterations) == derive_in_python(iterations) == key


@pytest.mark.parametrize("workload", [PBKDF2, PBKDF2_PYTHON])
def test_no_iterations_are_no_work(workload: Workload) -> None:
    with pytest.raises(ValueError, match="iteration"):
        workload.blocking(0, ID)


def test_they_are_found_by_name() -> None:
    assert (WORKLOADS["pbkdf2"], WORKLOADS["pbkdf2_python"]) == (PBKDF2, PBKDF2_PYTHON)


@pytest.mark.parametrize(("workload", "iterations", "releases"), [(PBKDF2, 2_000_000, True), (PBKDF2_PYTHON, 50_000, False)])
def test_openssl_releases_the_gil_and_the_loop_in_python_holds_it(workload: Workload, iterations: int, releases: bool) -> None:
    """A thread that may keep the GIL for minutes lets another one look at it during its work only if it lets go by itself."""
    began, done = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        workload.blocking(iterations, ID)
        done.set()

    thread = threading.Thread(target=work)
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(100)
    try:
        thread.start()
        began.wait()
        seen_at_work = not done.is_set()
    finally:
        sys.setswitchinterval(interval_s)
    thread.join()
    assert seen_at_work is releases

"""Work that needs nothing but a core: PBKDF2-HMAC-SHA256 (RFC 8018, section 5.2) of one block, by OpenSSL and in Python.

They compute the same and differ in one thing: OpenSSL's lets go of the interpreter lock (GIL) for as long as it computes, so
threads of one process share the cores like processes; the one in Python holds it, as most Python code does.
"""

import hashlib
from collections.abc import Callable

from tasks.workloads import TaskId, Workload

HASH = "sha256"
PASSWORD = b"correct horse battery staple"
SALT = b"queuelab"
SLOW_ITERATION_S = 5e-6
SLOW_PYTHON_ITERATION_S = 20e-6
"""What one iteration may take: twenty times as long as on a core of 2020, for slower cores and for several tasks on one."""

_FIRST_BLOCK = (1).to_bytes(4, "big")


def derive(iterations: int) -> bytes:
    """The key, by OpenSSL. Raises ValueError for fewer than 1 iteration."""
    return hashlib.pbkdf2_hmac(HASH, PASSWORD, SALT, iterations)


def derive_in_python(iterations: int) -> bytes:
    """The same key, by a loop in Python whose single hashes are far too short for hashlib to let go of the GIL (it does so from
    2 KB on). HMAC as in RFC 2104, with both padded keys hashed beforehand, as OpenSSL does."""
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, not {iterations}")
    inner, outer = _padded(0x36), _padded(0x5C)

    def hmac(message: bytes) -> bytes:
        inside, outside = inner(), outer()
        inside.update(message)
        outside.update(inside.digest())
        return outside.digest()

    block = hmac(SALT + _FIRST_BLOCK)
    key = int.from_bytes(block, "big")
    for _ in range(iterations - 1):
        block = hmac(block)
        key ^= int.from_bytes(block, "big")
    return key.to_bytes(len(block), "big")


def _padded(pad: int) -> "Callable[[], hashlib._Hash]":
    """What makes hashes that have already taken in the key with the pad over it."""
    empty = hashlib.new(HASH)
    key = PASSWORD.ljust(empty.block_size, b"\0")
    empty.update(bytes(byte ^ pad for byte in key))
    return empty.copy


def _run(iterations: int, _: TaskId) -> None:
    derive(iterations)


def _run_in_python(iterations: int, _: TaskId) -> None:
    derive_in_python(iterations)


PBKDF2 = Workload(_run, longest_s=lambda iterations: iterations * SLOW_ITERATION_S)
PBKDF2_PYTHON = Workload(_run_in_python, longest_s=lambda iterations: iterations * SLOW_PYTHON_ITERATION_S)

"""Celery's result backend is on where a worker is to keep results, and nowhere else, whatever the environment names."""

import os
import subprocess

import pytest

from benchmarks.checkout import CHECKOUT
from benchmarks.run.labs.local import environment_of, interpreter

SHOW_BACKEND = "from tasks.celery_tasks import app; print(type(app.backend).__name__, app.backend.as_uri())"


def backend(**variables: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "LAB_REDIS_URL": "redis://127.0.0.1:1", **variables}
    command = [str(interpreter(environment_of("celery"))), "-c", SHOW_BACKEND]
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("variables", [{}, {"CELERY_RESULT_BACKEND": "redis://localhost:6379/2"}])
def test_off_although_the_environment_names_one(variables: dict[str, str]) -> None:
    assert backend(**variables)[0] == "DisabledBackend"


def test_on_where_results_are_kept_with_the_number_that_is_set_on_the_labs_server() -> None:
    variables = {"LAB_CELERY_RESULTS": "on", "CELERY_RESULT_BACKEND": "redis://localhost:6379/9"}
    assert backend(**variables) == ["RedisBackend", "redis://127.0.0.1:1/9"]

"""Requests against tasks, and how the mock API served them."""

import pandas as pd
import pytest

from benchmarks.record.mock_api_books import Balance, Served, asked_latencies_ms, balance, served
from tasks.http_work import Parameters
from tests.unit.made_up import RUN, table_of
from tests.unit.made_up_http import log_of, waves


def test_books_that_balance_say_so() -> None:
    tasks = table_of(waves(10, 2))
    assert balance(log_of(20), tasks, RUN, 1) == Balance(completed=20, missing=0, unclaimed=0, repeated=0)
    assert balance(log_of(20), tasks, RUN, 1).balanced


def test_every_request_and_every_task_is_accounted_for() -> None:
    tasks = table_of(waves(10, 2))
    log = log_of(20)
    failed = log.copy()
    failed.loc[0, "status"] = 503
    assert balance(failed, tasks, RUN, 1) == Balance(completed=20, missing=1, unclaimed=0, repeated=0)
    assert balance(pd.concat([log, log[:2]]), tasks, RUN, 1).repeated == 2
    assert balance(log_of(21), tasks, RUN, 1).unclaimed == 1
    assert balance(log_of(0), tasks, RUN, 1).missing == 20


def test_drawn_latencies_are_held_against_what_each_request_asked_for() -> None:
    asked: Parameters = {"ms": 100, "distribution": "lognormal", "sigma": 0.5, "seed": 0}
    log = log_of(2000)
    found = served(log, asked_latencies_ms(log, asked), None)
    assert found.asked_mean_ms == pytest.approx(100, rel=0.05)
    assert found.late_mean_ms == pytest.approx(100.5 - (found.asked_mean_ms or 0))
    assert found.used_share is None
    assert served(log_of(0), asked_latencies_ms(log_of(0), asked), 1.0) == Served(None, None, None, None)

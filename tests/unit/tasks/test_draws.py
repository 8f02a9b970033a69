"""Values drawn for tasks: a pure function of seed and task, uniform, and those that result sets were made with."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tasks.draws import draw
from tasks.order_work import failure_of
from tests.support import run_script


@given(st.integers(), st.integers(min_value=0))
def test_a_draw_is_what_python_draws_from_the_two_as_text(seed: int, unit: int) -> None:
    assert draw(seed, unit) == Random(f"{seed}/{unit}").random()
    assert 0 <= draw(seed, unit) < 1


def test_values_are_the_same_in_every_process_and_for_ever() -> None:
    values = [draw(1), draw(1, 0), draw(1, 1), draw(2, 1), draw(2, 1, "charge")]
    assert values == [0.4782479962566343, 0.9064717269000477, 0.49474798226221894, 0.6010285579704927, 0.7741757742326085]
    shown = run_script("from tasks.draws import draw; print(draw(2, 1, 'charge'))", PYTHONHASHSEED="7")
    assert float(shown) == values[-1]


def test_draws_are_uniform_and_another_seed_gives_others() -> None:
    drawn = sorted(draw(7, unit) for unit in range(10_000))
    assert max(abs(value - place / 10_000) for place, value in enumerate(drawn)) < 0.02
    assert not {draw(8, unit) for unit in range(1000)} & set(drawn)


def test_the_failures_of_orders_are_drawn_so() -> None:
    for unit in range(200):
        drawn = draw(5, unit)
        assert failure_of(unit, 0.3, 0.1, 5) == ("always" if drawn < 0.1 else "once" if drawn < 0.4 else "")

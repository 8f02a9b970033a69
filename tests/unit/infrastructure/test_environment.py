"""What a process of the lab gets, and what may be shown of it."""

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.environment import FIXED, PASSED, made, made_for_framework, shown
from tests.hostile import hostile

NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=12)
ENVIRONMENTS = st.dictionaries(
    NAMES | st.sampled_from([*PASSED, *FIXED, *hostile("redis://elsewhere:6379")]), st.text(max_size=5)
)


@given(ENVIRONMENTS, ENVIRONMENTS)
def test_of_a_parent_only_what_passes_gets_in_and_what_is_said_goes_before_all(
    parent: dict[str, str], variables: dict[str, str]
) -> None:
    environment = made(parent, variables)
    assert environment.items() >= variables.items()
    assert environment.keys() - variables.keys() <= {*PASSED, *FIXED}
    assert all(environment[name] == value for name, value in FIXED.items() if name not in variables)
    assert all(environment[name] == parent[name] for name in PASSED if name in parent and name not in variables)


def test_a_frameworks_process_has_what_the_lab_says_and_the_databases_that_are_named_but_not_the_token() -> None:
    agent = {
        **hostile("redis://elsewhere:6379"),
        "PATH": "/bin",
        "LAB_TOKEN": "secret",
        "LAB_EVENTS_DIR": "/events",
        "LAB_NODE_VARIABLES": "MADE_UP_URL NOT_SET",
        "MADE_UP_URL": "redis://localhost/3",
    }
    assert made_for_framework(agent, "/checkout") == {
        "PATH": "/bin",
        **FIXED,
        "LAB_EVENTS_DIR": "/events",
        "LAB_NODE_VARIABLES": "MADE_UP_URL NOT_SET",
        "MADE_UP_URL": "redis://localhost/3",
        "PYTHONPATH": "/checkout",
    }


def test_what_is_shown_keeps_names_and_hides_secrets() -> None:
    environment = {
        "PATH": "/bin",
        "LAB_TOKEN": "hush",
        "LAB_REDIS_PASSWORD_FILE": "hush",
        "LAB_REDIS_URL": "redis://user:hush@127.0.0.1:6379/1",
        "A_LIST": "redis://:hush@one redis://two",
    }
    assert shown(environment) == {
        "A_LIST": "redis://***@one redis://two",
        "LAB_REDIS_PASSWORD_FILE": "***",
        "LAB_REDIS_URL": "redis://***@127.0.0.1:6379/1",
        "LAB_TOKEN": "***",
        "PATH": "/bin",
    }

"""Flags as they are declared, stored and read again."""

import importlib
import re
import string

import pytest

from benchmarks.record.flags import GENERAL_FLAGS, NOTHING_EXECUTED, WORKER_DIED, Flag, FlagKind, Severity, is_valid
from benchmarks.scenarios import all_scenarios
from benchmarks.studies import all_studies
from tests.unit.declared import flag_kinds, modules


@pytest.mark.parametrize("kind", flag_kinds(), ids=lambda kind: kind.code)
def test_every_flag_can_be_raised_stored_and_read_again(kind: FlagKind) -> None:
    names = {field for _, field, _, _ in string.Formatter().parse(kind.explanation) if field}
    flag = kind.flag(phase="drain", **dict.fromkeys(names - {"phase"}, 1))
    assert kind.advice
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert flag.detail
    assert Flag.from_data(flag.as_data()) == flag
    assert flag.phase == "drain"
    assert kind.among([flag])
    assert str(flag).startswith(f"{kind.code}: ")


def test_no_two_flags_have_one_code() -> None:
    codes = [kind.code for kind in flag_kinds()]
    assert len(codes) > len(GENERAL_FLAGS) > 20
    assert len(set(codes)) == len(codes)


def test_every_flag_is_listed_once_where_it_is_declared() -> None:
    """A flag that any run can have here, that of a scenario or a study in it, that of anything else in its module's FLAGS."""
    askers = (*all_scenarios().values(), *all_studies().values())
    listed = [*GENERAL_FLAGS, *(kind for asker in askers for kind in asker.own_flags)]
    listed += [kind for name in modules() for kind in getattr(importlib.import_module(name), "FLAGS", ())]
    assert sorted(kind.code for kind in listed) == sorted(kind.code for kind in flag_kinds())


def test_a_flag_is_of_the_whole_run_unless_it_names_a_phase() -> None:
    assert WORKER_DIED.flag(reason="gone").phase == ""
    assert WORKER_DIED.flag(phase="drain", reason="gone").phase == "drain"


def test_a_flag_that_tells_of_a_phase_must_name_it() -> None:
    with pytest.raises(KeyError, match="phase"):
        NOTHING_EXECUTED.flag(attempted=1)


def test_a_flag_that_was_stored_before_flags_had_phases_is_of_the_whole_run() -> None:
    old = {name: value for name, value in NOTHING_EXECUTED.flag(phase="drain", attempted=1).as_data().items() if name != "phase"}
    assert Flag.from_data(old).phase == ""


def test_a_flag_of_a_version_to_come_is_read_as_it_was_stored() -> None:
    data = {"code": "not-known-here", "severity": "warning", "phase": "drain", "detail": "seen", "advice": "do this"}
    flag = Flag.from_data(data)
    assert (flag.code, flag.severity, flag.detail, flag.advice) == ("not-known-here", Severity.WARNING, "seen", "do this")
    assert flag.as_data() == data
    assert is_valid([flag])
    assert not is_valid([Flag.from_data(data | {"severity": "invalid"})])

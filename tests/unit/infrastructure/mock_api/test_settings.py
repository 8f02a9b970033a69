"""The mock API is set up by environment variables, and says which one is wrong."""

import pytest

from infrastructure.mock_api.settings import Settings, settings_from


def test_variables_that_are_missing_or_empty_leave_the_defaults() -> None:
    assert settings_from({"MOCK_API_PORT": "", "PORT": "1"}) == Settings()
    assert settings_from({"MOCK_API_PORT": "9000", "MOCK_API_SEED": "7"}) == Settings(port=9000, seed=7)


def test_every_wrong_variable_is_named_with_its_value() -> None:
    with pytest.raises(ValueError, match=r"MOCK_API_PORT='http'.*MOCK_API_SEED='-1'"):
        settings_from({"MOCK_API_PORT": "http", "MOCK_API_SEED": "-1"})

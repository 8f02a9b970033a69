"""How the mock API is set up, from the environment.

====================== ========= ==================================================================
variable               default   meaning
====================== ========= ==================================================================
MOCK_API_HOST          127.0.0.1 address to listen on
MOCK_API_PORT          8080      port to listen on
MOCK_API_DEFAULT_MS    100       latency of a request that names none, in milliseconds
MOCK_API_SEED          0         seed for requests that name none
MOCK_API_LOG_CAPACITY  2000000   answers that the request log holds
====================== ========= ==================================================================
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_PREFIX = "MOCK_API_"


class Settings(BaseModel):
    """The fields are the variables of this module's table, in lower case and without their prefix."""

    model_config = ConfigDict(frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    default_ms: Annotated[float, Field(ge=0, le=600_000)] = 100.0
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    log_capacity: Annotated[int, Field(ge=0)] = 2_000_000


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises ValueError naming every variable that is wrong, with its value."""
    given = {
        name: environment[_PREFIX + name.upper()] for name in Settings.model_fields if environment.get(_PREFIX + name.upper())
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{_PREFIX}{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in error.errors())
        raise ValueError(problems) from None

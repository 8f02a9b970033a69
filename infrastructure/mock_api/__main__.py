"""Serve the mock API until SIGTERM."""

import os
import sys

import uvicorn

from infrastructure.mock_api.app import MockApi
from infrastructure.mock_api.settings import settings_from
from tasks.causes import cause

# Longer than a pooled connection of a client may lie idle between two phases: a connection that the server closes just as it
# is used again would look like an error of the framework under test.
KEEP_ALIVE_S = 3600


def main() -> None:
    """Read the settings and serve."""
    try:
        settings = settings_from(os.environ)
    except ValueError as error:
        sys.exit(f"mock API: {cause(error)}")
    uvicorn.run(
        MockApi(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=4096,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()

# mypy: disable-error-code="import-not-found"
"""The HTTP client that posts tasks to the web application: to all of the lab a producer like those of the frameworks."""

import asyncio
from collections.abc import Sequence

import aiohttp

from tasks.workloads import TaskCall

ANSWER_LIMIT_S = 60.0
_OK = 200


class WebAnswerError(Exception):
    """The application did not accept a task; the text says what it answered."""


class WebClient:
    """Posts each task as JSON to an endpoint, which is given in the place of a queue. Connections are kept open between requests,
    as many as there are requests in flight; how many that may be is for the caller to bound."""

    def __init__(self, url: str) -> None:
        """Must be made inside the event loop in which it is used."""
        self.url = url
        self._session = aiohttp.ClientSession(
            url,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_LIMIT_S),
        )

    async def enqueue(self, queue: str, call: TaskCall) -> None:
        """Post one task; return once it is answered. Raises WebAnswerError for any answer but 200, and what aiohttp raises."""
        async with self._session.post(queue, json=call) as response:
            body = await response.read()
            if response.status != _OK:
                text = body[:200].decode("utf-8", errors="replace")
                raise WebAnswerError(f"POST {queue} was answered {response.status}: {text}; see the web application's log")

    async def enqueue_many(self, queue: str, calls: Sequence[TaskCall]) -> Sequence[Exception | None]:
        """Post them all at once."""
        outcomes = await asyncio.gather(*(self.enqueue(queue, call) for call in calls), return_exceptions=True)
        return [ConnectionError(f"POST {queue}: {o!r}") if isinstance(o, BaseException) else None for o in outcomes]

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

"""Questions to a web application whether it is well, on a schedule that does not wait for answers."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from itertools import pairwise

from infrastructure.agent.web import HOST
from infrastructure.agent.web_health import WebHealth
from infrastructure.readings import HealthAnswer

MS = 1_000_000
INTERVAL_S, LIMIT_S = 0.01, 0.05
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(port: int, count: int) -> list[HealthAnswer]:
    health = WebHealth()
    health.begin(port, INTERVAL_S, LIMIT_S)
    while len(health.answers) < count:
        await asyncio.sleep(INTERVAL_S)
    await health.end()
    found = health.answers
    await asyncio.sleep(2 * INTERVAL_S)
    assert health.answers == found, "nobody asks after the end"
    return found


async def of_server(answering: Answering, count: int) -> list[HealthAnswer]:
    server = await asyncio.start_server(answering, HOST, 0)
    async with server:
        return await asked(server.sockets[0].getsockname()[1], count)


def says(line: bytes) -> Answering:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"GET /health HTTP/1.1\r\n"
        writer.write(line)
        await writer.drain()
        writer.close()

    return answer


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def test_an_answer_is_one_only_if_it_is_well() -> None:
    well = asyncio.run(of_server(says(b"HTTP/1.1 200 OK\r\n\r\n"), 3))
    assert {answer.outcome for answer in well} == {"answered"}
    assert all(answer.due_ns <= answer.asked_ns <= answer.ended_ns for answer in well)
    unwell = asyncio.run(of_server(says(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"), 2))
    assert {answer.outcome for answer in unwell} == {"refused"}


def test_who_says_nothing_is_given_up_and_asked_on_meanwhile() -> None:
    answers = asyncio.run(of_server(says_nothing, 8))
    assert {answer.outcome for answer in answers} == {"late"}
    assert all(answer.ended_ns - answer.asked_ns >= LIMIT_S * 1000 * MS for answer in answers)
    due_ns = sorted(answer.due_ns for answer in answers)
    assert {b - a for a, b in pairwise(due_ns)} == {INTERVAL_S * 1000 * MS}


def test_nobody_there_refuses() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    assert {answer.outcome for answer in asyncio.run(asked(port, 3))} == {"refused"}

"""Whether the lab itself still works, asked after a run has failed."""

from collections.abc import Iterator, Mapping

import httpx
import redis

from benchmarks.run.labs.lab import MOCK_API, REDIS, Lab, end_of
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.spec import LabFault
from benchmarks.run.redis_server import RedisServer
from tasks.causes import cause

ANSWER_LIMIT_S = 5.0


def fault_of(lab: Lab, nodes: Mapping[str, str]) -> LabFault | None:
    """What is broken: without Redis nothing can be measured; without the mock API, or one of the nodes (name -> URL) that the run
    was made on, others may be. None where all of them answer."""
    for part, gone in _broken(lab, nodes):
        log = lab.log_of(part)
        where = f"Its log, which is {part}.log in the run's folder, ends:\n{end_of(log)}"
        return LabFault(part, f"{gone}; put it right, and resume the result set. {where}", for_all=part == REDIS, log=log)
    return None


def _broken(lab: Lab, nodes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each part that does not answer, and that in words; Redis first."""
    server = RedisServer(lab.redis_url)
    try:
        server.read()
    except (redis.ConnectionError, redis.TimeoutError) as error:
        yield REDIS, f"the lab's Redis at {lab.redis_url.rpartition('@')[2]} is gone ({cause(error)})"
    finally:
        server.close()
    for name, url in nodes.items():
        try:
            with NodeClient(url, lab.token, name) as node:
                node.health()
        except NodeError as error:
            yield name, cause(error)
    try:
        httpx.get(f"{lab.mock_api_url}/health", timeout=ANSWER_LIMIT_S, trust_env=False)
    except httpx.HTTPError as error:
        yield MOCK_API, f"the lab's mock API at {lab.mock_api_url} is gone ({cause(error)})"

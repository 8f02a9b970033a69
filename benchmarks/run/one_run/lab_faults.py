"""Whether the lab itself still works, asked after a run has failed."""

from collections.abc import Mapping

import httpx
import redis

from benchmarks.run.labs.lab import Lab
from benchmarks.run.nodes.client import NodeClient
from benchmarks.run.nodes.transport import NodeError
from benchmarks.run.one_run.spec import LabFault
from benchmarks.run.redis_server import RedisServer
from tasks.causes import cause

ANSWER_LIMIT_S = 5.0
_GO_ON = "; see its log, put it right, and resume the result set"


def fault_of(lab: Lab, nodes: Mapping[str, str]) -> LabFault | None:
    """What is broken: without Redis nothing can be measured; without the mock API, or one of the nodes (name -> URL) that the run
    was made on, others may be. None where all of them answer."""
    server = RedisServer(lab.redis_url)
    try:
        server.read()
    except (redis.ConnectionError, redis.TimeoutError) as error:
        return LabFault(f"the lab's Redis at {lab.redis_url.rpartition('@')[2]} is gone ({cause(error)}){_GO_ON}", for_all=True)
    finally:
        server.close()
    for name, url in nodes.items():
        try:
            with NodeClient(url, lab.token, name) as node:
                node.health()
        except NodeError as error:
            return LabFault(f"{cause(error)}{_GO_ON}", for_all=False)
    try:
        httpx.get(f"{lab.mock_api_url}/health", timeout=ANSWER_LIMIT_S, trust_env=False)
    except httpx.HTTPError as error:
        return LabFault(f"the lab's mock API at {lab.mock_api_url} is gone ({cause(error)}){_GO_ON}", for_all=False)
    return None

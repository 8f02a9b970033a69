# mypy: disable-error-code="import-not-found"
"""What lies in the database: how many tasks, their messages as a worker reads them, and how to be rid of them."""

from collections.abc import Sequence
from typing import Any

import redis
from asynctasq.tasks.services.serializer import TaskSerializer

from tasks.asynctasq_tasks.calls import call_of
from tasks.asynctasq_tasks.settings import DATABASE
from tasks.contract import Depth, database_url
from tasks.workloads import TaskCall

STATES = ("", ":processing", ":delayed", ":dead", ":stats:completed", ":stats:failed")


class AsyncTasQMessageReader:
    """Decodes as a worker does; models among the parameters are fetched."""

    def __init__(self, variant: str) -> None:
        self._client = redis.Redis.from_url(database_url(DATABASE))
        self._serializer = TaskSerializer()
        self._in_child_process = variant == "asynctasq-process"

    def take(self, queue: str) -> bytes:
        """RPOP of the queue's list; LookupError where it is empty."""
        message: Any = self._client.rpop(f"queue:{queue}")
        if message is None:
            raise LookupError(f"no message waits in {queue}")
        return bytes(message)

    async def decode(self, message: bytes) -> TaskCall:
        """The task; one that runs in a child process is encoded for it and decoded there again, each with a new serializer
        (asynctasq.tasks.types.sync_process_task)."""
        task = await self._serializer.deserialize(message)
        if self._in_child_process:
            again = TaskSerializer().serialize(task)
            task = await TaskSerializer().deserialize(again)
        return call_of(task)


def purge(queues: Sequence[str]) -> None:
    """Delete the queues' keys in every state."""
    with redis.Redis.from_url(database_url(DATABASE)) as client:
        client.delete(*(f"queue:{queue}{state}" for queue in queues for state in STATES))


def depth(queue: str) -> Depth:
    """Two LLEN and a ZCARD."""
    with redis.Redis.from_url(database_url(DATABASE)) as client, client.pipeline(transaction=False) as pipeline:
        pipeline.llen(f"queue:{queue}").llen(f"queue:{queue}:processing").zcard(f"queue:{queue}:delayed")
        waiting, claimed, delayed = pipeline.execute()
    return Depth(waiting=waiting, claimed=claimed, delayed=delayed)

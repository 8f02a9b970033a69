# mypy: disable-error-code="import-not-found"
"""What lies in the broker's database: how many tasks, their messages as a worker reads them, and how to be rid of them."""

from collections.abc import Sequence

import redis
from kombu import Connection, serialization
from kombu.transport.redis import Channel
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from tasks.celery_tasks.application import BROKER, serializer_settings
from tasks.contract import Depth, database_url
from tasks.workloads import TaskCall


class CeleryMessageReader:
    """Decodes as a worker does, which decodes every body twice: its consumer to see which protocol the message is of
    (celery.worker.strategy.default), and whoever runs the task (celery.app.trace)."""

    def __init__(self, serializer: str) -> None:
        self._channel: Channel = Connection(database_url(BROKER)).default_channel
        self._accepted = serialization.prepare_accept_content(serializer_settings(serializer)["accept_content"])

    def take(self, queue: str) -> bytes:
        """RPOP of the queue's list; LookupError where it is empty."""
        message: bytes | None = self._channel.client.rpop(queue)
        if message is None:
            raise LookupError(f"no message waits in {queue}")
        return message

    def decode(self, message: bytes) -> TaskCall:
        """The envelope, and its body twice."""
        envelope = self._channel.message_to_python(loads(bytes_to_str(message)))
        envelope.accept = self._accepted
        envelope.decode()
        content_type, encoding = envelope.content_type, envelope.content_encoding
        arguments, _, _ = serialization.loads(envelope.body, content_type, encoding, accept=self._accepted)
        call: TaskCall = arguments
        return call


def purge(queues: Sequence[str]) -> None:
    """Delete the queues' lists and all that is claimed in this database."""
    with Connection(database_url(BROKER)) as connection:
        channel: Channel = connection.default_channel
        keys = [key for queue in queues for key in _priority_keys(channel, queue)]
        channel.client.delete(*keys, channel.unacked_key, channel.unacked_index_key)


def depth(queue: str) -> Depth:
    """LLEN for each priority and HLEN for what is claimed."""
    with Connection(database_url(BROKER)) as connection:
        channel: Channel = connection.default_channel
        client: redis.Redis = channel.client
        with client.pipeline(transaction=False) as pipeline:
            for key in _priority_keys(channel, queue):
                pipeline.llen(key)
            pipeline.hlen(channel.unacked_key)
            *waiting, claimed = pipeline.execute()
    return Depth(waiting=sum(waiting), claimed=claimed, delayed=0)


def _priority_keys(channel: Channel, queue: str) -> list[str]:
    return [channel._q_for_pri(queue, priority) for priority in channel.priority_steps]

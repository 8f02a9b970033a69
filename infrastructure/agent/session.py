"""The session: whoever holds it has the node to itself, and what it has started ends with it."""

import asyncio

from starlette.types import Receive, Scope, Send

from infrastructure.agent.node import Node

HEARTBEAT_S = 1.0


class SessionLease:
    """Holds the node for as long as the client stays."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A heartbeat until the client goes away or the node ends."""
        node = self._node
        await node.open_session()
        gone = asyncio.create_task(_disconnected(receive))
        closing = asyncio.create_task(node.closing.wait())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            while not gone.done() and not closing.done():
                await send({"type": "http.response.body", "body": b"\n", "more_body": True})
                await asyncio.wait((gone, closing), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            closing.cancel()
            node.close_session()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

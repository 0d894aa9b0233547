"""Socket to callback: the same frames over a loopback socket, written as fast as they are taken, by another process.

`python -m bench.wire` is that process: it writes its port, answers subscriptions, and to `go` writes as many
frames of the exchange and type as the address names.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from shadow.subjects.probe.frames import frames

__all__ = ["GO", "WIRE_FRAMES", "wire_server"]

GO = "go"
WIRE_FRAMES = 4096
CHUNK_BYTES = 64 * 1024


@asynccontextmanager
async def wire_server() -> AsyncIterator[str]:
    """The address of the writing process, to be followed by `/exchange/type/count`; it ends with the context."""
    command = (sys.executable, "-m", "bench.wire")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()


@cache
def chunks(exchange: str, event_type: str, count: int) -> list[bytes]:
    """`count` frames with their headers, in pieces to write."""
    opcode = Opcode.TEXT if exchange == "gateio" else Opcode.BINARY
    whole = b"".join(Frame(opcode, raw).serialize(mask=False) for raw in frames(exchange, event_type, count))
    return [whole[at : at + CHUNK_BYTES] for at in range(0, len(whole), CHUNK_BYTES)]


async def handle(connection: ServerConnection) -> None:
    """One client."""
    assert connection.request is not None
    _, exchange, event_type, count = connection.request.path.split("/")
    ready = chunks(exchange, event_type, int(count))
    async for text in connection:
        if text == GO:
            for chunk in ready:
                connection.transport.write(chunk)
                await connection.drain()
        else:
            await connection.send(answer(exchange, orjson.loads(text)))


def answer(exchange: str, asked: dict[str, object]) -> str:
    """The exchange's success."""
    if exchange == "mexc":
        params = asked.get("params")
        message = ",".join(params) if isinstance(params, list) else "PONG"
        return orjson.dumps({"id": asked.get("id", 0), "code": 0, "msg": message}).decode()
    return orjson.dumps({**asked, "error": None, "result": {"status": "success"}}).decode()


async def main() -> None:
    """Serve until stdin ends."""
    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)  # noqa: T201 - the parent waits for this line
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())

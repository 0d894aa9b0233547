"""Prints the next five trades of a running `shadow venue`: python venue_client.py ws://127.0.0.1:8090/ws/v4/"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main(url: str) -> None:
    async with connect(url) as socket:
        await socket.send(json.dumps({"channel": "spot.trades", "event": "subscribe", "payload": ["BTC_USDT"]}))
        seen = 0
        async for text in socket:
            frame = json.loads(text)
            if frame["event"] == "update":
                sys.stdout.write(f"{frame['result']['price']} {frame['result']['side']}\n")
                seen += 1
            if seen == 5:
                return


asyncio.run(main(sys.argv[1]))

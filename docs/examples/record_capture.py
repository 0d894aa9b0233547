"""Logs a connection for `shadow import`: record_capture.py CONNECTION FRAMES WS_URL BOOK_URL REQUEST... > log.jsonl"""

import asyncio
import base64
import json
import sys
import time
import urllib.request

from websockets.asyncio.client import connect


def log(**line):
    line = {"connection": sys.argv[1], "t_ns": time.perf_counter_ns(), **line}
    sys.stdout.write(json.dumps(line) + "\n")


def ask_book(url):
    with urllib.request.urlopen(url) as answer:
        log(rest=url, text=answer.read().decode())


async def main(frames, ws_url, book_url, *requests):
    async with connect(ws_url) as socket:
        for request in requests:
            await socket.send(request)
            log(direction="out", text=request)
        asking = asyncio.create_task(asyncio.to_thread(ask_book, book_url))
        for _ in range(int(frames)):
            data = await socket.recv()
            log(**{"text": data} if isinstance(data, str) else {"base64": base64.b64encode(data).decode()})
        await asking


asyncio.run(main(*sys.argv[2:]))

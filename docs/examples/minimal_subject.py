"""A whole subject for Gate.io spot, public channels; docs/subjects.md says how to run it."""

import asyncio
import contextlib
import json
import os
import sys
import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

CHANNELS = {  # event type: Gate.io's channel, the protocol's field names, Gate.io's names in the same order
    "book": ("spot.order_book_update", "symbol first last snapshot bids asks ts", "s U u full b a t"),
    "trade": ("spot.trades", "symbol id price quantity side ts", "currency_pair id price amount side create_time_ms"),
    "book_ticker": ("spot.book_ticker", "symbol bid bid_quantity ask ask_quantity seq ts", "s b B a A u t"),
    "ticker": ("spot.tickers", "symbol last bid ask base_volume quote_volume high low ts",
               "currency_pair last highest_bid lowest_ask base_volume quote_volume high_24h low_24h time_ms"),
}  # fmt: skip


def say(k: str, **fields: object) -> None:
    sys.stdout.write(json.dumps({"k": k, "t": time.perf_counter_ns()} | fields) + "\n")
    sys.stdout.flush()


async def serve(spec: dict) -> None:
    wanted = {CHANNELS[kind][0]: kind for kind in spec["channels"]}
    async for socket in connect(spec["ws_url"]):  # connects again after each close
        with contextlib.suppress(ConnectionClosed):
            for channel, symbol in ((c, s) for c in wanted for s in spec["symbols"]):
                payload = [symbol, "100ms"] if wanted[channel] == "book" else [symbol]
                ask = {"time": int(time.time()), "channel": channel, "event": "subscribe", "payload": payload}
                await socket.send(json.dumps(ask))
            async for text in socket:
                t = time.perf_counter_ns()  # first thing: latency is measured up to here
                frame = json.loads(text)
                if frame["event"] != "update":
                    continue  # an ack
                kind, result = wanted[frame["channel"]], frame["result"]
                _, ours, theirs = CHANNELS[kind]
                for item in result if isinstance(result, list) else [result]:
                    values = [(frame | item).get(name) for name in theirs.split()]
                    fields = dict(zip(ours.split(), values, strict=True))
                    fields["ts"] = int(float(fields["ts"]))
                    if "id" in fields:
                        fields["id"] = str(fields["id"])
                    say("event", c=spec["id"], t=t, type=kind, **fields)


async def main() -> None:
    start = json.loads(sys.stdin.readline())
    say("hello", protocol=1, name="minimal", version="1", pid=os.getpid())
    tasks = [asyncio.create_task(serve(spec)) for spec in start["connections"]]
    await asyncio.to_thread(sys.stdin.readline)  # the next line is `stop`, or the end of stdin
    await asyncio.gather(*(task for task in tasks if task.cancel()), return_exceptions=True)
    say("bye")


asyncio.run(main())

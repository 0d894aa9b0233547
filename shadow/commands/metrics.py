"""`shadow metrics`: the rollout's state for Prometheus, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from dataclasses import replace
from pathlib import Path

from shadow.commands.words import say

__all__ = ["HELP", "add_words", "execute"]

PORT = 9464
HELP = "serve the rollout's state to Prometheus, on loopback"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"default {PORT}; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1: this machine alone")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="the rollout's folder, default beside the flag file")


def execute(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; gives the exit code."""
    from prometheus_client import CollectorRegistry

    from shadow.errors import UsageError
    from shadow.monitoring.endpoint import PATH, make_endpoint
    from shadow.monitoring.watch import Watch
    from shadow.rollout.places import places

    where = places()
    if options.folder is not None:
        if not options.folder.is_dir():
            raise UsageError(f"--folder {options.folder} is no folder; give the one that holds journal.jsonl")
        where = replace(where, folder=options.folder)
    watch = Watch(where)
    registry = CollectorRegistry()
    registry.register(watch)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with make_endpoint(registry, options.host, options.port) as server:
        watch.start()
        thread = threading.Thread(target=server.serve_forever, name="metrics-endpoint", daemon=True)
        thread.start()
        say(f"serving http://{options.host}:{server.server_port}{PATH}; Ctrl-C ends it")
        stopped.wait()
        server.shutdown()
        thread.join()
    watch.stop()
    return 0

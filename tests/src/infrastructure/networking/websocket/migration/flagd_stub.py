"""A small stand-in for the flagd daemon: its published evaluation service over gRPC, rules by flagd's own core."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.schemas.protobuf.flagd.evaluation.v2 import evaluation_pb2, evaluation_pb2_grpc

from infrastructure.networking.websocket.migration.stage import FLAG

READY, CHANGE = "provider_ready", "configuration_change"
WORKERS = 8


class FlagdStub(evaluation_pb2_grpc.ServiceServicer):
    """Serves one flag on loopback; `port` stays the same when it is started again."""

    def __init__(self, content: str) -> None:
        self.port = 0
        self.asked: list[str] = []
        self._core = FlagdCore()
        self._listeners: list[queue.SimpleQueue[str | None]] = []
        self._server: grpc.Server | None = None
        self.turn(content, tells=False)

    @property
    def listeners(self) -> int:
        """How many event streams are open."""
        return len(self._listeners)

    def start(self) -> None:
        """Serve, with the content as it is now."""
        self._server = grpc.server(ThreadPoolExecutor(WORKERS))
        evaluation_pb2_grpc.add_ServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def die(self) -> None:
        """Break every stream and call, and listen no more."""
        if self._server is not None:
            self._tell(None)
            self._server.stop(grace=None).wait()
            self._server = None

    def turn(self, content: str, *, tells: bool = True) -> None:
        """Other flags from now on; `tells` pushes the event that says so."""
        self._core.set_flags(json.loads(content))
        if tells:
            self._tell(CHANGE)

    def _tell(self, event: str | None) -> None:
        for listener in list(self._listeners):
            listener.put(event)

    def EventStream(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Says that it is ready, then every change."""
        events: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._listeners.append(events)
        context.add_callback(lambda: events.put(None))
        try:
            yield evaluation_pb2.EventStreamResponse(type=READY)
            while (event := events.get()) is not None:
                response = evaluation_pb2.EventStreamResponse(type=event)
                response.data.update({"flags": {FLAG: {}}})
                yield response
        finally:
            self._listeners.remove(events)

    def ResolveString(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The flag for the unit that the context names."""
        attributes = MessageToDict(request.context)
        key = attributes.pop("targetingKey")
        self.asked.append(key)
        found = self._core.resolve_string_value(request.flag_key, "", EvaluationContext(key, attributes))
        return evaluation_pb2.ResolveStringResponse(value=found.value, reason=found.reason, variant=found.variant)

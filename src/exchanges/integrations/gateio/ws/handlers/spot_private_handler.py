"""Gate.io spot, an account's data."""

from __future__ import annotations

from typing import Any

from exchanges.integrations.gateio.endpoints import SPOT_PRIVATE_CHANNELS
from exchanges.integrations.gateio.private_events import read_spot_balances, read_spot_fills, read_spot_orders
from exchanges.integrations.gateio.private_frames import decode_spot_private
from exchanges.integrations.gateio.ws.handlers.private_handler import GateioPrivateHandler
from exchanges.structs.errors import DecodeError
from exchanges.structs.types import Balance, Fill, Order, Position, ReconnectionPolicy

__all__ = ["GateioSpotPrivateHandler"]


class GateioSpotPrivateHandler(GateioPrivateHandler):
    """Orders, own trades and balances of Gate.io spot."""

    POLICY = ReconnectionPolicy(10, 3.0, 2.0, 60.0, reset_on_1005=False)
    CHANNELS = SPOT_PRIVATE_CHANNELS

    _decode = staticmethod(decode_spot_private)

    def _parse_orders(self, payload: Any) -> list[Order]:
        return read_spot_orders(payload)

    def _parse_fills(self, payload: Any) -> list[Fill]:
        return read_spot_fills(payload)

    def _parse_balances(self, payload: Any) -> list[Balance]:
        return read_spot_balances(payload)

    def _parse_positions(self, payload: Any) -> list[Position]:
        """Spot has none."""
        raise DecodeError("a position on spot")

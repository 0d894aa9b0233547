"""Gate.io futures settled in USDT, an account's data; sizes are contracts."""

from __future__ import annotations

from typing import Any

from exchanges.integrations.gateio.endpoints import FUTURES_PRIVATE_CHANNELS
from exchanges.integrations.gateio.private_events import (
    read_futures_balances,
    read_futures_fills,
    read_futures_orders,
    read_futures_positions,
)
from exchanges.integrations.gateio.private_frames import decode_futures_private
from exchanges.integrations.gateio.ws.handlers.private_handler import GateioPrivateHandler
from exchanges.structs.errors import AuthenticationError
from exchanges.structs.types import Balance, Fill, Order, Position, PrivateWebsocketChannelType, ReconnectionPolicy

__all__ = ["GateioFuturesPrivateHandler"]


class GateioFuturesPrivateHandler(GateioPrivateHandler):
    """Orders, own trades, balances and positions of Gate.io's USDT contracts."""

    PING_CHANNEL = "futures.ping"
    LOGIN_CHANNEL = "futures.login"
    POLICY = ReconnectionPolicy(10, 3.0, 2.0, 60.0, reset_on_1005=True)
    CHANNELS = FUTURES_PRIVATE_CHANNELS

    _decode = staticmethod(decode_futures_private)

    def _parse_orders(self, payload: Any) -> list[Order]:
        return read_futures_orders(payload)

    def _parse_fills(self, payload: Any) -> list[Fill]:
        return read_futures_fills(payload)

    def _parse_balances(self, payload: Any) -> list[Balance]:
        return read_futures_balances(payload)

    def _parse_positions(self, payload: Any) -> list[Position]:
        return read_futures_positions(payload)

    async def authenticate(self) -> bool:
        """As everywhere on Gate.io; without the account's number nothing could be subscribed."""
        is_confirmed = await super().authenticate()
        if is_confirmed and not self.uid:
            raise AuthenticationError(f"{self.LOGIN_CHANNEL} was answered without a uid")
        return is_confirmed

    def payload_of(self, channel: PrivateWebsocketChannelType) -> list[str]:
        """The account's number, and every contract where the channel is of contracts."""
        uid = self.uid or ""
        return [uid] if channel is PrivateWebsocketChannelType.BALANCE else [uid, "!all"]

"""Public connections prove nothing."""

from __future__ import annotations

import pytest

from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin, NoAuthMixin


@pytest.mark.checklist("1.3.1", "1.3.2", "1.3.4", "1.3.7", "1.3.11", "5.1.7")
async def test_no_auth() -> None:
    mixin = NoAuthMixin()
    assert not mixin.requires_authentication()
    assert mixin.create_auth_message() is None
    assert await mixin.authenticate() is True


@pytest.mark.checklist("1.3.2", "1.3.5")
def test_the_base_is_abstract() -> None:
    assert AuthMixin.__abstractmethods__ == {"requires_authentication", "create_auth_message", "authenticate"}

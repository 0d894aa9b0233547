"""The budget guard by a clock that the test turns."""

from __future__ import annotations

import msgspec
import pytest

from shadow.network.budget import CAPS, Budget, BudgetSpent


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> Budget:
    return Budget(clock=clock)


def test_the_documented_caps_are_the_caps() -> None:
    assert (CAPS["mexc"].subscriptions, CAPS["mexc"].messages_per_s, CAPS["mexc"].listen_keys) == (30, 100, 60)
    assert (CAPS["mexc"].rest_weight, CAPS["mexc"].rest_s) == (500, 10.0)
    assert CAPS["gateio"].connections == 300


def test_a_connection_that_closes_makes_room_for_another(clock: Clock) -> None:
    gateio = Budget({"gateio": msgspec.structs.replace(CAPS["gateio"], connections=2)}, clock).at("gateio")
    first, _ = gateio.open(), gateio.open()
    with pytest.raises(BudgetSpent, match=r"gateio: the budget of 2 open connections is spent$") as caught:
        gateio.open()
    assert caught.value.wait_s is None
    first.close()
    first.close()
    gateio.open()
    assert (gateio.used.connections, gateio.used.most_connections, gateio.used.opened) == (2, 2, 3)
    assert gateio.used.refused == 1


def test_a_reconnect_storm_ends_at_the_cap_and_goes_on_when_the_window_has_moved(budget: Budget, clock: Clock) -> None:
    mexc = budget.at("mexc")
    cap = CAPS["mexc"].opens
    for _ in range(cap):
        mexc.open().close()
        clock.now += 0.1
    with pytest.raises(BudgetSpent, match="connection attempts in 300 s") as caught:
        mexc.open()
    assert caught.value.wait_s == pytest.approx(CAPS["mexc"].opens_s - 0.1 * cap)
    assert (mexc.used.opened, mexc.used.connections) == (cap, 0)
    assert caught.value.wait_s is not None
    clock.now += caught.value.wait_s + 0.001
    mexc.open()
    with pytest.raises(BudgetSpent):
        mexc.open()


def test_a_subscription_counts_once_and_its_end_makes_room(budget: Budget) -> None:
    link = budget.at("mexc").open()
    link.subscribe(*(f"key{n}" for n in range(30)))
    link.subscribe("key0")
    with pytest.raises(BudgetSpent, match="30 subscriptions of one connection"):
        link.subscribe("key30")
    link.unsubscribe("key7")
    link.subscribe("key30")
    assert budget.used()["mexc"].subscribed == 31
    budget.at("mexc").open().subscribe("key30")


def test_gateio_has_no_cap_on_subscriptions_and_messages(budget: Budget) -> None:
    link = budget.at("gateio").open()
    link.subscribe(*map(str, range(400)))
    for _ in range(400):
        link.message()
    assert (budget.used()["gateio"].subscribed, budget.used()["gateio"].messages) == (400, 400)


def test_messages_are_counted_over_the_second_of_each_connection(budget: Budget, clock: Clock) -> None:
    mexc = budget.at("mexc")
    link = mexc.open()
    for _ in range(100):
        link.message()
        clock.now += 0.005
    with pytest.raises(BudgetSpent, match="100 messages of one connection") as caught:
        link.message()
    assert caught.value.wait_s == pytest.approx(0.5)
    mexc.open().message()
    clock.now += 0.501
    link.message()
    assert mexc.used.messages == 102


def test_rest_weight_and_listen_keys(budget: Budget, clock: Clock) -> None:
    mexc = budget.at("mexc")
    mexc.rest(499)
    with pytest.raises(BudgetSpent, match="500 REST weight in 10 s") as caught:
        mexc.rest(2)
    assert caught.value.wait_s == pytest.approx(10.0)
    mexc.rest(1)
    clock.now += 10.0
    mexc.rest(500)
    assert (mexc.used.rest_calls, mexc.used.rest_weight) == (3, 1000)
    for _ in range(60):
        mexc.take_listen_key()
    with pytest.raises(BudgetSpent, match="60 listen keys"):
        mexc.take_listen_key()
    mexc.give_back_listen_key()
    mexc.take_listen_key()
    with pytest.raises(BudgetSpent):
        budget.at("gateio").take_listen_key()

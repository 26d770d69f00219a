"""How fast passwords may be tried, and who waits for whom."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from chassis.http.problems import STATUS
from contracts.errors import CairnError, Throttled
from gateway.areas.auth.throttle import KNOWN, REMEMBERED, STRANGER, Throttle
from gateway.areas.auth.throttle_rules import network_of, pause_after

from tests.support.waiting import eventually_async

HOME, ATTACKER = "192.0.2.1", "198.51.100.7"


class Checks:
    """Stands for scrypt: right is "right", and what is wrong takes until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[str] = []

    def __call__(self, password: str, kept: str | None) -> bool:
        self.begun.append(password)
        if password != "right":
            assert self.go.wait(20)
        return password == kept


@pytest.fixture
def checks() -> Iterator[Checks]:
    made = Checks()
    yield made
    made.go.set()


def queues(checks: Checks, slept: list[float] | None = None, *, remembered: int = REMEMBERED) -> Throttle:
    async def sleep(seconds: float) -> None:
        if slept is not None:
            slept.append(seconds)

    return Throttle(sleep, verify=checks, remembered=remembered)


def attack(throttle: Throttle, names: list[str], *, address: str = ATTACKER, known: bool = False) -> asyncio.Task[Any]:
    tries = [throttle.check("wrong", "right", name=name, address=address, known=known) for name in names]
    return asyncio.create_task(asyncio.wait({asyncio.ensure_future(one) for one in tries}))


async def begun(checks: Checks, many: int = 1) -> None:
    await eventually_async(lambda: asyncio.sleep(0, len(checks.begun) >= many), 10)


@pytest.mark.parametrize("names", [["owner"] * 300, [f"name-{n}" for n in range(300)]])
@pytest.mark.parametrize("address", [HOME, ATTACKER])
async def test_a_right_password_from_a_known_address_waits_for_no_flood(
    checks: Checks, names: list[str], address: str
) -> None:
    throttle = queues(checks)
    flood = attack(throttle, names, address=address)
    await begun(checks)
    assert await throttle.check("right", "right", name="owner", address=HOME, known=True)
    assert not flood.done()
    checks.go.set()
    await flood


async def test_a_flood_from_one_address_is_refused_but_for_a_few_and_told_when_to_return(checks: Checks) -> None:
    throttle = queues(checks)
    flood = attack(throttle, ["owner"] * 300)
    await begun(checks)
    with pytest.raises(Throttled) as refused:
        await throttle.check("right", "right", name="owner", address=ATTACKER, known=False)
    assert refused.value.retry_after_seconds >= 1
    assert STATUS[refused.value.kind] == 429
    checks.go.set()
    done, _ = await flood
    ends = [task.exception() for task in done]
    assert sum(1 for end in ends if end is None) == STRANGER.queue
    assert {type(end) for end in ends if end} == {Throttled}


async def test_strangers_from_other_addresses_wait_for_one_check_at_most(checks: Checks) -> None:
    slept: list[float] = []
    throttle = queues(checks, slept)
    flood = attack(throttle, [f"name-{n}" for n in range(300)])
    await begun(checks)
    newcomer = asyncio.create_task(throttle.check("right", "right", name="owner", address=HOME, known=False))
    # After its pause the newcomer waits for the processor at once: nothing else is awaited in between.
    await eventually_async(lambda: asyncio.sleep(0, len(slept) == 2), 10)
    checks.go.set()
    assert await newcomer
    await flood
    assert checks.begun.index("right") == 1


async def test_a_right_password_gets_its_turn_among_wrong_ones_of_the_same_address_and_name(checks: Checks) -> None:
    throttle = queues(checks)
    flood = attack(throttle, ["owner"] * (KNOWN.queue - 1), address=HOME, known=True)
    await begun(checks)
    own = asyncio.create_task(throttle.check("right", "right", name="owner", address=HOME, known=True))
    await asyncio.sleep(0)
    checks.go.set()
    assert await own
    await flood


async def test_failures_make_the_next_try_wait_and_a_right_password_ends_that(checks: Checks) -> None:
    checks.go.set()
    slept: list[float] = []
    throttle = queues(checks, slept)

    async def tried(password: str, **who: Any) -> float:
        await throttle.check(password, "right", **{"name": "a", "address": ATTACKER, "known": False} | who)
        return slept[-1]

    assert [await tried("wrong") for _ in range(9)] == [0, 0, 0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert await tried("wrong", address=HOME) == 2.0, "the name is guessed at from somewhere else"
    assert await tried("wrong", name="b") == 2.0, "the address guesses at another name"
    assert await tried("wrong", name="b", address="203.0.113.1") == 0
    assert await tried("right", address=HOME, known=True) == 0
    assert await tried("right") == 2.0
    assert await tried("right") == 0


async def test_unknown_names_are_treated_as_known_ones(checks: Checks) -> None:
    checks.go.set()
    pauses: dict[str | None, list[float]] = {}
    for kept in ("right", None):
        slept: list[float] = []
        throttle = queues(checks, slept)
        for _ in range(6):
            assert not await throttle.check("wrong", kept, name="a", address=ATTACKER, known=False)
        pauses[kept] = slept
    assert pauses["right"] == pauses[None]
    assert len(checks.begun) == 12


async def test_queues_in_use_are_not_forgotten(checks: Checks) -> None:
    throttle = queues(checks, remembered=2)
    flood = attack(throttle, ["a"] * STRANGER.queue)
    await begun(checks)
    for n in range(5):
        assert await throttle.check("right", "right", name="x", address=f"192.0.2.{n}", known=True)
    with pytest.raises(CairnError, match="too_many_attempts"):
        await throttle.check("wrong", "right", name="a", address=ATTACKER, known=False)
    checks.go.set()
    await flood
    assert throttle.queue_count <= 2


def test_pauses_have_an_end() -> None:
    assert pause_after(10**6, 2.0) == 2.0


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_site_are_one_place(address: str, place: str) -> None:
    assert network_of(address) == place

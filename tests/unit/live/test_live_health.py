"""When a challenger counts as dead, and when it does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mlflowctl.live.health import FAILURES, PATIENCE, Pulse
from mlflowctl.live.sight import Health
from mlflowctl.serving.endpoints import Endpoint


def alive(version: int) -> Endpoint:
    return Endpoint("challenger", version, True, 0.01)


def dead(seconds: float = 0.01) -> Endpoint:
    return Endpoint("challenger", None, False, seconds, "Connection refused")


@dataclass
class Gateway:
    """A stand-in: answers in order, the last one again and again."""

    challenger: list[Endpoint]
    champion: Endpoint = field(default_factory=lambda: alive(1))
    asked: int = 0
    time: float = 0.0

    def ask(self, _: str, variant: str) -> Endpoint:
        if variant == "champion":
            return self.champion
        self.asked += 1
        found = self.challenger.pop(0) if len(self.challenger) > 1 else self.challenger[0]
        self.time += found.seconds
        return found

    def pulse(self) -> Pulse:
        return Pulse("http://gateway", self.ask, self.pause, lambda: self.time)

    def pause(self, seconds: float) -> None:
        self.time += seconds


def test_without_a_gateway_nobody_knows():
    assert Pulse(None).feel(2, has_share=True) is Health.UNKNOWN


def test_it_died_while_it_had_a_share():
    gateway = Gateway([alive(2), dead()])
    pulse = gateway.pulse()
    assert pulse.feel(2, has_share=True) is Health.READY
    assert pulse.feel(2, has_share=True) is Health.DEAD
    assert gateway.asked == 1 + FAILURES
    assert gateway.time < 5, "an abort must come within ten seconds"


def test_one_that_hangs_is_not_asked_again_and_again():
    gateway = Gateway([alive(2), dead(5.0)])
    pulse = gateway.pulse()
    pulse.feel(2, has_share=True)
    assert pulse.feel(2, has_share=True) is Health.DEAD
    assert gateway.time < 8


@pytest.mark.parametrize("hiccups", [1, 2])
def test_a_hiccup_is_no_death(hiccups):
    pulse = Gateway([alive(2), *[dead()] * hiccups, alive(2)]).pulse()
    assert pulse.feel(2, has_share=True) is Health.READY
    assert pulse.feel(2, has_share=True) is Health.READY


def test_a_gateway_that_answers_nobody_says_nothing_of_the_challenger():
    gateway = Gateway([alive(2), dead()])
    pulse = gateway.pulse()
    pulse.feel(2, has_share=True)
    gateway.champion = dead()
    assert pulse.feel(2, has_share=True) is Health.UNKNOWN
    # It comes back, its champion first: the challenger loads, and that is no death.
    gateway.champion = alive(1)
    assert pulse.feel(2, has_share=True) is Health.STARTING
    gateway.challenger = [alive(2), dead()]
    assert pulse.feel(2, has_share=True) is Health.READY
    assert pulse.feel(2, has_share=True) is Health.DEAD


def test_one_that_never_comes_is_dead_in_the_end_if_clients_are_sent_to_it():
    gateway = Gateway([alive(1)])  # the champion answers in its place
    pulse = gateway.pulse()
    assert pulse.feel(2, has_share=False) is Health.STARTING
    assert pulse.feel(2, has_share=True) is Health.STARTING
    gateway.time += PATIENCE + 1
    assert pulse.feel(2, has_share=False) is Health.STARTING
    assert pulse.feel(2, has_share=True) is Health.DEAD


def test_another_version_in_its_place_is_as_good_as_none():
    gateway = Gateway([alive(2), alive(1)])
    pulse = gateway.pulse()
    pulse.feel(2, has_share=True)
    assert pulse.feel(2, has_share=True) is Health.DEAD

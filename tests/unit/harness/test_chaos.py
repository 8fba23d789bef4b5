"""A fault is on only once it bit, and off only once it healed; whatever fails, healing is tried."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from verdict_harness.errors import FaultError, ServiceDied
from verdict_harness.processes import Pending
from verdict_harness.systems import Endpoint, Service, System, chaos


class Fake:
    """A deployment of one service that answers as long as nothing was done to it."""

    system = System("s", (Service("broker", {"x": 1}, "tcp:x"),))
    prometheus = "http://none"

    def __init__(self, *, immune: bool = False, incurable: bool = False) -> None:
        self.answering = True
        self.immune = immune
        self.incurable = incurable
        self.calls: list[str] = []

    def endpoint(self, service: str, port: str = "http") -> Endpoint:
        raise AssertionError(f"{service} {port}: answers() is replaced")

    def check(self) -> None: ...

    def logs(self, service: str, lines: int = 50) -> str:
        return f"{service} {lines}"

    def pause(self, service: str) -> str:
        self.calls.append(f"pause {service}")
        self.answering = self.immune
        return f"paused by telling {service} so"

    def resume(self, service: str) -> None:
        self.calls.append(f"resume {service}")
        self.answering = not self.incurable

    def kill(self, service: str) -> str:
        self.calls.append(f"kill {service}")
        raise ServiceDied("it does not run")

    def start(self, service: str) -> None:
        self.calls.append(f"start {service}")
        self.answering = True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "_PROOF_TIMEOUT", 0.3)
    monkeypatch.setattr(chaos, "_HEAL_TIMEOUT", 0.3)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    """Stands for whatever deployment the test appends: a fault asks it whether it answers."""
    there: list[Fake] = []

    def answers(*_: object) -> bool:
        if not there[-1].answering:
            raise Pending("refused")
        return True

    monkeypatch.setattr(chaos, "answers", answers)
    return there


def test_within_it_is_on_and_afterwards_not(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake())
    with chaos.pause(fake, "broker") as fault:
        assert fault.on
        assert not fake.answering
    assert not fault.on
    assert fake.calls == ["pause broker", "resume broker"]
    record = fault.to_json()
    assert record.pop("fault") == "pause"
    assert record.pop("service") == "broker"
    assert record.pop("means") == "paused by telling broker so"
    assert list(record) == ["injected", "bit", "healing", "healed", "answered"]
    assert list(record.values()) == sorted(record.values())


def test_a_fault_that_does_not_bite(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake(immune=True))
    with pytest.raises(FaultError, match="did not bite") as caught, chaos.pause(fake, "broker"):
        pytest.fail("nothing may be measured under it")
    assert "it still answers" in str(caught.value)
    assert fake.calls == ["pause broker", "resume broker"], "it heals all the same"


def test_a_fault_on_what_is_broken_already(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake())
    fake.answering = False
    with pytest.raises(FaultError, match="did not answer before"), chaos.pause(fake, "broker"):
        pytest.fail("it proves nothing")
    assert fake.calls == []


def test_a_fault_that_does_not_heal(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake(incurable=True))
    with pytest.raises(FaultError, match="did not heal"), chaos.pause(fake, "broker"):
        pass


def test_a_fault_that_could_not_be_made(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake())
    with pytest.raises(FaultError, match="could not kill broker") as caught, chaos.kill(fake, "broker"):
        pytest.fail("nothing may be measured under it")
    assert "it does not run" in str(caught.value)
    assert fake.calls == ["kill broker", "start broker"]


def test_what_went_wrong_first_is_not_hidden(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake(incurable=True))
    with pytest.raises(KeyError, match="first") as caught, chaos.pause(fake, "broker"):
        raise KeyError("first")
    assert "did not heal" in caught.value.__notes__[0]


def test_an_interrupt_heals(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake())
    with pytest.raises(KeyboardInterrupt), chaos.pause(fake, "broker"):
        raise KeyboardInterrupt
    assert fake.answering


def test_other_proof(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake(immune=True))
    seen: list[str] = []

    def stands_still() -> bool:
        seen.append("asked")
        return True

    with chaos.pause(fake, "broker", bites=stands_still):
        assert seen == ["asked"]


def test_armed_heals_what_its_schedule_left_on(deployed: list[Fake]) -> None:
    deployed.append(fake := Fake())
    fault = chaos.pause(fake, "broker")
    (on, inject), (off, heal) = fault.schedule(after=60, lasting=120)
    assert (on, off) == (60, 180)
    with fault.armed():
        assert fake.calls == [], "armed is not on"
        inject()
        with pytest.raises(FaultError, match="already"):
            inject()
    assert fake.calls == ["pause broker", "resume broker"]
    heal()
    assert fake.calls == ["pause broker", "resume broker"], "healing twice is harmless"
    inject()
    with pytest.raises(KeyError), fault.armed():
        raise KeyError
    assert fake.answering


def test_a_schedule_counts_from_when_it_happened(
    deployed: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.append(fake := Fake())
    clock = [1000.0]
    ours = SimpleNamespace(
        time=lambda: clock[0], sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    )
    monkeypatch.setattr(chaos, "time", ours)  # not the module, which others read
    fault = chaos.pause(fake, "broker")
    (_, inject), (off, heal) = fault.schedule(after=60, lasting=120)
    inject()
    injected = fault.to_json()["injected"]
    clock[0] = injected + 113  # at 180 s of the load: it took seven to inject
    heal()
    assert off == 180
    assert fault.to_json()["healing"] == injected + 120

"""What surrounds a run: faults that are none, a broker that stays away, a disk without room."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

KIND = "surroundings"

_LOCAL = "harness/verdict_harness/systems/local.py"
_TURNS = ("A4.client-p99-pause", "A4.match-p99-pause", "A4.conservation-pause")
_TOOTHLESS = Patch(_LOCAL, "        self._running(service).freeze()\n", "        self._running(service)\n")

DEFECTS = (
    Defect(
        name="fault-does-not-bite",
        kind=KIND,
        story="To pause the broker does nothing.",
        plants=[_TOOTHLESS],
        select="a4",
        words=["-k", "[pause-"],
        turns=_TURNS,
    ),
    Defect(
        name="fault-only-says-that-it-bit",
        kind=KIND,
        story="To pause the broker does nothing, and whoever looks says that it does not answer.",
        plants=[
            _TOOTHLESS,
            Patch(
                "harness/verdict_harness/systems/chaos.py",
                "        self._bites = bites or self._is_silent\n",
                "        self._bites = lambda: True\n",
            ),
        ],
        select="a4",
        words=["-k", "[pause-"],
        turns=_TURNS,
    ),
    Defect(
        name="broker-never-comes-back",
        kind=KIND,
        story="The broker that was paused stays so.",
        plants=[Patch(_LOCAL, "        self._running(service).thaw()\n", "        self._running(service)\n")],
        select="a4",
        words=["-k", "[pause-"],
        turns=_TURNS,
    ),
    Defect(
        name="no-room-for-evidence",
        kind=KIND,
        story="The disk below runs/ is full after five answers.",
        plants=[
            Patch(
                "harness/verdict_harness/record/evidence.py",
                "            written = _write_json(self.directory / name, record)\n",
                """\
            with writing(self.directory / name):
                if len(self._known) >= 5:
                    raise OSError(28, "No space left on device")
            written = _write_json(self.directory / name, record)
""",
            )
        ],
        select="a1",
        turns=["A1.conservation", "A1.errors", "A1.load"],
    ),
)

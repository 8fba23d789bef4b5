"""Architecture criteria as pytest tests, with verdicts that rest on evidence.

Data flows one way::

    system -> load -> window -> sample -> finding -> verdict -> report

Each room is a package, and a floor: it imports from those below it, never from those above.
From the top: :mod:`~verdict_harness.plugin`, :mod:`~verdict_harness.report`,
:mod:`~verdict_harness.kubernetes`, :mod:`~verdict_harness.loads`, :mod:`~verdict_harness.verdicts`,
:mod:`~verdict_harness.samples`, :mod:`~verdict_harness.record`, :mod:`~verdict_harness.systems`,
:mod:`~verdict_harness.programs`, :mod:`~verdict_harness.processes`, :mod:`~verdict_harness.errors`.
Import what you need from the room that offers it; this package re-exports nothing.
"""

__version__ = "0.1.0"

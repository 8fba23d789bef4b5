"""Architecture criteria as pytest tests, with verdicts that rest on evidence.

Data flows one way::

    system -> load -> window -> sample -> finding -> verdict -> report

Import what you need from the module that owns it (:mod:`harness.system`,
:mod:`harness.k6`, :mod:`harness.promql`, :mod:`harness.expect`, ...); this
package re-exports nothing, so that each name has one home.
"""

__version__ = "0.1.0"

"""For every test of this repository."""

import hypothesis

pytest_plugins = ["pytester"]

# How long one example takes says something of the machine, and nothing of the code.
hypothesis.settings.register_profile("verdicts", deadline=None)
hypothesis.settings.load_profile("verdicts")

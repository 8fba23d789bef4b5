"""For every test of this repository."""

pytest_plugins = ["pytester"]

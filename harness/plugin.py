"""The pytest plugin: the only file of the harness that imports pytest."""

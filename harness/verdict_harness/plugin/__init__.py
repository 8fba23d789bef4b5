"""The top floor, pytest: its options, fixtures and outcomes, and the choice of a backend by its name."""

"""The top floor, pytest: ``hooks`` is what pytest loads; the rest is imported when there is a criterion."""

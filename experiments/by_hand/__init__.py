"""The exchange for people who walk around in it: up, ways into it, books seeded, down."""

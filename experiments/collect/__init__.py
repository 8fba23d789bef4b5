"""Judges what a Prometheus has of a load that somebody ran by hand, with plain k6."""

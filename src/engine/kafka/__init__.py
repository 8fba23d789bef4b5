"""Room ``kafka``: a broker that speaks Kafka's protocol, and every way in which it can refuse or hang."""

from .broker import KafkaBroker

__all__ = ["KafkaBroker"]

"""Room ``kafka``: a broker that speaks Kafka's protocol, and every way in which it can refuse or hang."""

from .broker import BrokerError, KafkaBroker

__all__ = ["BrokerError", "KafkaBroker"]

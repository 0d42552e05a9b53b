"""The private mosquitto of the lab."""

from lab.broker import Broker, BrokerFailed, free_port

__all__ = ["Broker", "BrokerFailed", "free_port"]

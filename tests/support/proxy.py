"""The bad line of the lab."""

from lab.proxy import Proxy

__all__ = ["Proxy"]

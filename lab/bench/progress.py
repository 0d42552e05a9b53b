"""How a running benchmark tells where it is."""

from collections.abc import Callable
from typing import TypeAlias

Say: TypeAlias = Callable[[str], None]
"""Takes a line for the person who waits."""

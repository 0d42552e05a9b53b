"""The registry: who belongs to which office, and what proves it."""

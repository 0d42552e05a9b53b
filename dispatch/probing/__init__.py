"""The availability probe: once a minute a real press, in an office of its own, answered in time or not."""

"""Decisions of the vehicle: pure, driven by `handle(event, now)` with time, chance and ids passed in."""

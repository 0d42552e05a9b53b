"""Decisions of the office: pure, driven by `handle(input, now)` with time, ids and the store passed in."""

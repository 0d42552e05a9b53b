"""Traces of presses: taken in, kept, and read again as an answer to "why could it not talk then"."""

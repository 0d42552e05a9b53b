"""Measuring speech: what was said against what was heard, and whether a certain sentence is in a recording."""

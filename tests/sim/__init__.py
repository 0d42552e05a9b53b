"""Whole offices under virtual time: real cores, real store, a network that misbehaves by seed."""

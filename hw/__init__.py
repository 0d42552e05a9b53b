"""Devices on pins: what the driver presses, sees, hears and feels, and how it is wired."""

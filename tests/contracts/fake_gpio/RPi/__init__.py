"""A stand-in for the package of RPi.GPIO."""

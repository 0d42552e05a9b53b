"""Microphone and speaker behind one port; the configuration names the backend."""

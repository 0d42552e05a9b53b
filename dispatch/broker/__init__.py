"""The broker's doors: who may connect, publish and read, and how mosquitto's dynamic-security plugin is told."""

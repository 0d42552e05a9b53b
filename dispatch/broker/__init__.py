"""The broker's doors: who may connect, publish and read, and how that is told to mosquitto's dynamic-security plugin."""

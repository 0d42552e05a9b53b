"""The voice worker: sound devices, Opus, jitter buffers and voice transports, in a process of their own."""

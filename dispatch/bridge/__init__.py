"""The Agora bridge: relays an office's voice between its broker and its Agora channel, under the same floor."""

"""Voice over an Agora channel."""

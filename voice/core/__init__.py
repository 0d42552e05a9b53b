"""Pure decisions of the voice worker: what may be sent, what may be heard, and when."""

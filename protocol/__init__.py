"""Words of the wire: ids, messages, topics, voice frames, timers, and the pipe between daemon and voice worker.

Nothing here does I/O or decides anything; every other package may import it, it imports none of them.
"""

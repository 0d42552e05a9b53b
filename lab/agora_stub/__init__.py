"""A stand-in for Agora's native library and cloud, on one machine, for tests and the demo.

The unmodified Python package of Agora's SDK runs on a C library made here, whose processes form channels over a hub
of ours. It shows that our adapter, our tokens and our floor work together with that package as its source is. It
proves nothing about the binary interface, the timing or the sound of Agora's real library, nor about Agora's cloud.
"""

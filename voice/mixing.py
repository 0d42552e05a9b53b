"""One device frame out of what a colleague says and what the radio itself says, by whose turn the loudspeaker is."""

from __future__ import annotations

from array import array

from protocol.worker import Playback


def mixed(voice: bytes | None, own: array[int] | None, duck_percent: int, office: Playback) -> bytes | None:
    """Give the frame, None where nothing sounds; both parts have 16-bit samples of the same number.

    Own sounds are ducked under a colleague's voice, everything under navigation's; in a telephone call a colleague's
    voice is silence.
    """
    if voice is not None and office is Playback.SILENT:
        if own is None:
            return bytes(len(voice))
        voice = None
    if voice is None:
        sound = own
    elif own is None:
        if office is Playback.FULL:
            return voice
        sound = array("h", voice)
    else:
        pairs = zip(array("h", voice), own, strict=True)
        sound = array("h", [max(-32768, min(32767, v + c * duck_percent // 100)) for v, c in pairs])
    if sound is None:
        return None
    if office is Playback.DUCKED:
        sound = array("h", [sample * duck_percent // 100 for sample in sound])
    return sound.tobytes()

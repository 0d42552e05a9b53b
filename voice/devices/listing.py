"""`python -m voice --list-devices`: the sound devices by the names that a configuration may use."""

import json

from protocol.worker import Device
from voice.devices.choose import BackendMissing


def device_list() -> dict[str, list[str]]:
    """Give the names of capture and playback devices; raises BackendMissing without PortAudio or PyAudio."""
    try:
        import pyaudio

        from voice.devices.pyaudio_device import device_names, quiet_libraries
    except ImportError as error:
        raise BackendMissing(
            f"audio backend pyaudio is not usable ({error}): apt install libportaudio2, pip install PyAudio"
        ) from error
    quiet_libraries()
    audio = pyaudio.PyAudio()
    try:
        return {device.value: [name for _, name in device_names(audio, device)] for device in Device}
    finally:
        audio.terminate()


NONE = "(none: is one plugged in? compare with aplay -l; run this as root or in the group audio)"


def print_devices(as_json: bool) -> None:
    """Print them, as text or as one JSON object."""
    devices = device_list()
    if as_json:
        print(json.dumps(devices, ensure_ascii=False))
        return
    for device, names in devices.items():
        print(f"{device}:")
        for name in names or [NONE]:
            print(f"  {name}")

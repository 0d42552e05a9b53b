"""The text of the broker's configuration, for mosquitto 2.0. Pure."""

import ipaddress
from pathlib import Path

WEBSOCKETS_MAX = 400
"""Connections of browsers, two for each page."""
WEBSOCKET_HEADER_BYTES = 8192
"""Behind its own bound (4 KiB in Debian's build) mosquitto hangs up on a browser with many cookies, without a word."""
BROWSERS = f"""\
# For call managers' consoles: MQTT over websockets. A browser sends the dashboard's cookies along, hence the room.
websockets_headers_size {WEBSOCKET_HEADER_BYTES}
{{listener}}protocol websockets
{{tls}}max_connections {WEBSOCKETS_MAX}

"""

BOUNDS = """\
# Without it every QoS 1 exchange waits some 40 ms for a delayed acknowledgement (both sides need it).
set_tcp_nodelay true

# Retained session, presence and roster survive a restart. After a crash the broker restores the last save: the floor
# control server and the members correct what is then too old, so that a save a minute is enough.
persistence true
autosave_interval 60
persistent_client_expiration 1h

# Bounds. The largest message is the roster (256 KiB of payload); whoever sends more is cut off. It holds for MQTT 3 and
# 5 alike, so that the older message_size_limit is not needed beside it.
max_packet_size 270336
# One client's outgoing queue: control messages of a slow reader wait here, its voice (QoS 0) is never queued. What
# exceeds a bound is dropped, and the reader does not learn of it. The most that comes at once is an office of 500 whose
# radio network returns: the server is sent 500 retained presences, 500 new ones, 500 heartbeats and 500 wills (2,000
# messages, 1 MB), a monitor the same and every vehicle's list of alerts besides (some 6,000). Twice that fits; a
# vehicle reads only its session and its own replies. A reader that stays away is cut off by its keep-alive.
# In flight: as many as our clients say they take (Receive Maximum 1000), or a far office would wait for a round trip
# every few messages.
max_inflight_messages 1000
max_queued_messages 12000
max_queued_bytes 16777216
queue_qos0_messages false
# Two connections a vehicle (control, voice): 500 vehicles, their office and its monitors.
max_connections 1500
max_keepalive 300

# A vehicle's connections come and go with its radio link; each is worth a line.
connection_messages true
log_type error
log_type warning
log_type notice
"""
"""What holds for the open broker of a private network (systemd/mosquitto/ptt.conf) and the guarded one alike."""


def conf(
    *,
    folder: Path,
    dynsec: str,
    cert: str,
    key: str,
    plugin: Path,
    listen: str,
    port: int,
    websocket_port: int,
) -> str:
    """Give `ptt.conf`: a TLS listener that lets in whoever the plugin's file names, and nobody else.

    `folder` is where the named files lie in the end; `listen` an address, or empty for all of them. `websocket_port`:
    of a second listener for browsers, 0 for none; with one `listen` is no name, else ValueError is raised.
    """
    tls = f"certfile {folder / cert}\nkeyfile {folder / key}\ntls_version tlsv1.2\n"
    listeners = f"{_listener(port, listen)}{tls}"
    if websocket_port:  # before the other, or that one would have its bound of connections instead of its own
        listeners = BROWSERS.format(listener=_browsers_listener(websocket_port, listen), tls=tls) + listeners
    return f"""\
# The office's broker: written by `ptt-dispatch init`, read by mosquitto 2.0 from /etc/mosquitto/conf.d/.
# Persistence's place and the log file are set by Debian's own mosquitto.conf, which reads this file.

# One set of users for every listener: a listener added elsewhere is guarded by it too.
per_listener_settings false
allow_anonymous false
allow_zero_length_clientid false
# Who may connect, publish and read. The plugin writes this file anew at every change: do not edit it while mosquitto
# runs, and never give it to anybody (it holds hashes of secrets).
plugin {plugin}
plugin_opt_config_file {folder / dynsec}
# What somebody left retained is given out only as long as it still may publish there.
check_retain_source true

{listeners}
{BOUNDS}"""


def _browsers_listener(port: int, address: str) -> str:
    """For websockets mosquitto heeds an address only beside its family, and opens nothing at all for a name."""
    family = f"socket_domain ipv{ipaddress.ip_address(address).version}\n" if address else ""
    return f"{_listener(port, address)}{family}"


def _listener(port: int, address: str) -> str:
    return f"{f'listener {port} {address}'.rstrip()}\n"

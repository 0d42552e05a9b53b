"""What the MQTT link asks of, and does to, the socket underneath paho."""

from __future__ import annotations

import array
import fcntl
import os
import select
import socket
import ssl
import struct
import termios
import time
from typing import Any

import paho.mqtt.client as paho

PART_S_MIN = 0.05


def unread_bytes(sock: Any) -> int:
    """Bytes that further reads would find now: in the kernel and, for TLS, decrypted already."""
    decrypted = sock.pending() if isinstance(sock, ssl.SSLSocket) else 0
    return _ioctl_int(sock, termios.FIONREAD) + decrypted


def readable(sock: Any) -> bool:
    """Whether a further read would find bytes now."""
    return unread_bytes(sock) > 0


def wait(sock: Any, writing: bool, timeout_s: float) -> bool:
    """Wait until something can be read or, if `writing`, written; True if it can be read."""
    if readable(sock):
        return True
    poll = select.poll()  # unlike select, it takes any descriptor number
    poll.register(sock, select.POLLIN | (select.POLLOUT if writing else 0))
    return any(ready & ~select.POLLOUT for _fd, ready in poll.poll(timeout_s * 1000))


def unacknowledged_bytes(sock: Any) -> int:
    """Bytes in the kernel that the other machine has not acknowledged (SIOCOUTQ, the same number as TIOCOUTQ)."""
    return _ioctl_int(sock, termios.TIOCOUTQ)


def slam(client: paho.Client) -> None:
    """Reset a client's connection, so that nothing unsent leaves any more."""
    sock: Any = client.socket()
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def part(client: paho.Client, sock: Any, deadline: float) -> None:
    """Say DISCONNECT and wait, until the monotonic `deadline`, for the broker's end.

    paho closes at once; with bytes unread that resets the connection, and DISCONNECT with it. Hence the second
    descriptor, which keeps the connection open meanwhile.
    """
    with socket.socket(fileno=os.dup(sock.fileno())) as line:
        client.disconnect()
        try:
            line.shutdown(socket.SHUT_WR)
            line.settimeout(max(PART_S_MIN, deadline - time.monotonic()))
            while line.recv(65536) and time.monotonic() < deadline:
                pass
        except OSError:
            pass  # reset or too slow: DISCONNECT is written, more cannot be done


def _ioctl_int(sock: Any, request: int) -> int:
    number = array.array("i", [0])
    fcntl.ioctl(sock.fileno(), request, number)
    return number[0]

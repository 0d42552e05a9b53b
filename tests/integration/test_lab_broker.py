"""The lab's broker and its ports: nobody else is given them, and nobody who dials them meets himself."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab.broker import PORT_MAX, PORT_MIN, PORT_RANGE, Broker, BrokerFailed, free_port


def kernels_range(folder: Path, text: str) -> Path:
    path = folder / "ip_local_port_range"
    path.write_text(text)
    return path


def test_a_free_port_is_none_that_the_kernel_gives_to_connections():
    low, high = (int(word) for word in PORT_RANGE.read_text().split())
    ports = [free_port() for _ in range(200)]
    assert not [port for port in ports if low <= port <= high]
    assert len(set(ports)) > 150


@pytest.mark.parametrize(
    ("text", "lowest", "highest"),
    [
        ("32768\t60999\n", PORT_MIN, 32767),
        ("1024\t40000\n", 40001, PORT_MAX),
        ("1024\t65535\n", PORT_MIN, PORT_MAX),
        ("no numbers", PORT_MIN, 32767),
    ],
)
def test_the_ports_lie_outside_of_whatever_range_the_kernel_has(text, lowest, highest, tmp_path):
    path = kernels_range(tmp_path, text)
    ports = [free_port(path) for _ in range(50)]
    assert lowest <= min(ports)
    assert max(ports) <= highest


def test_a_port_that_somebody_has_is_passed_over(tmp_path):
    # given a range that leaves just two ports, one of which is taken
    path = kernels_range(tmp_path, f"{PORT_MIN} {PORT_MAX - 2}")
    with socket.create_server(("127.0.0.1", PORT_MAX)):
        # when
        ports = {free_port(path) for _ in range(20)}
    # then
    assert ports == {PORT_MAX - 1}


def test_without_any_free_port_the_error_says_so(tmp_path):
    path = kernels_range(tmp_path, f"{PORT_MIN} {PORT_MAX - 1}")
    with socket.create_server(("127.0.0.1", PORT_MAX)), pytest.raises(BrokerFailed, match="no port"):
        free_port(path)


def test_waiting_for_a_broker_never_connects_to_itself():
    # given a port that the kernel gives to connections, and where nobody listens
    low, high = (int(word) for word in PORT_RANGE.read_text().split())
    broker = Broker(port=low + (high - low) // 4 * 2)  # connections get those of the parity of the lowest
    # when it is dialled so often that every such port has been a source
    met = [attempt for attempt in range(high - low) if broker._accepts()]
    # then
    broker.close()
    assert met == []

"""`ptt-lab office`: what it refuses before anything is started, and what its vehicles say."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab.cli import main
from lab.demo.run import EXIT_USAGE
from lab.office_day.speech import FRAME_S, SENTENCES, sentences
from voice.opus import duration_s


def test_a_port_that_is_taken_is_told_with_the_way_to_take_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        status = main(["office", "--port", port, "--out", str(tmp_path)])

    assert status == EXIT_USAGE
    assert f"port {port} of 127.0.0.1" in (told := capsys.readouterr().err)
    assert "--port" in told


@pytest.mark.parametrize("arguments", [["--cars", "1"], ["--cars", "61"], ["--days", "0"], ["--speed", "x"]])
def test_numbers_that_do_not_go_are_refused_with_those_that_do(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["office", *arguments])

    assert ended.value.code == EXIT_USAGE
    assert f"{arguments[1]!r}: give a number, " in capsys.readouterr().err


def test_every_sentence_is_speech_in_packets_of_20_ms() -> None:
    spoken = sentences()

    assert len(spoken) == len(SENTENCES)
    assert all(duration_s(packet) == pytest.approx(FRAME_S) for packets in spoken for packet in packets)
    assert all(1.0 < len(packets) * FRAME_S < 8.0 for packets in spoken)

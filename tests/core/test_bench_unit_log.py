"""A unit's log is read back as it was written: times, messages, fields."""

import io
import logging
from pathlib import Path

from lab.bench.unit_log import find, lines
from service.logs import text_handler


def test_lines_are_read_back_with_their_fields_and_times(tmp_path: Path) -> None:
    # given what the service's own handler writes
    stream = io.StringIO()
    handler = text_handler(stream)
    for message, fields in (
        ("voice handed over", {"burst": 7, "seq": 51, "mqtt": False, "why": "every member has joined Agora"}),
        ("link up", {}),
    ):
        record = logging.LogRecord("gateway.app", logging.INFO, "", 1, message, (), None)
        record.created = 1000.25
        record.fields = fields
        handler.handle(record)
    path = tmp_path / "unit.log"
    path.write_text("what others print\n" + stream.getvalue())
    # when it is read
    found = lines(path, -900.0)
    # then all is there
    assert [(line.message, round(line.at_s, 3)) for line in found] == [
        ("voice handed over", 100.25),
        ("link up", 100.25),
    ]
    assert found[0].fields == {"burst": "7", "seq": "51", "mqtt": "False", "why": "every member has joined Agora"}
    assert find(found, "voice handed over", mqtt="False") == found[:1]
    assert find(found, "voice handed over", mqtt="True") == []

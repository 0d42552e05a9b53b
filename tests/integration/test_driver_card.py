"""The driver's card as a browser prints it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.docs.__main__ import ROOT
from lab.docs.driver_card import HTML

PRINT_S_MAX = 60


@pytest.mark.parametrize("paper", ["A4", "A5"])
def test_it_fills_one_page_of_either_paper(paper: str, tmp_path: Path) -> None:
    # given the card, with the paper a driver chooses in the print dialogue
    card, pdf = tmp_path / "card.html", tmp_path / "card.pdf"
    text = (ROOT / HTML).read_text()
    assert text.count("@page {") == 1
    card.write_text(text.replace("@page {", f"@page {{ size: {paper};"))
    # when it is printed
    browser = shutil.which("chromium") or "chromium"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={tmp_path}/me"]
    subprocess.run(
        [browser, *flags, f"--print-to-pdf={pdf}", card.as_uri()], check=True, capture_output=True, timeout=PRINT_S_MAX
    )
    # then it is one page
    assert re.findall(rb"/Count (\d+)", pdf.read_bytes()) == [b"1"]

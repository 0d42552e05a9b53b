"""The driver's card as a browser prints it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from lab.docs import driver_card
from lab.docs.__main__ import ROOT
from lab.docs.driver_card import HTML
from tests.support.chromium import headless

SHEET_PX = (748, 1077)
"""A4 without its margins of 6 mm."""
SMALLEST_PT = 7.0
ROOM_LEFT = 0.02
"""Of the page's height: other machines have other fonts."""
LEAVES = "[...document.querySelectorAll('h1,h2,h1 span,h2 span,.ko,.en,.shape')]"


@pytest.fixture
def card() -> Iterator[Page]:
    """The card, laid out as it is printed."""
    with headless() as browser:
        page = browser.new_page(viewport={"width": SHEET_PX[0], "height": SHEET_PX[1]})
        page.emulate_media(media="print")
        page.goto((ROOT / HTML).as_uri())
        yield page


def test_it_fits_one_page_of_a4(card: Page) -> None:
    pdf = card.pdf(prefer_css_page_size=True)

    assert re.findall(rb"/Count (\d+)", pdf) == [b"1"]
    [box] = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert [float(side) / 72 * 25.4 for side in box] == pytest.approx([210, 297], abs=0.5)


def test_it_has_room_to_spare_and_nothing_hangs_over_its_edge(card: Page) -> None:
    height = card.evaluate("document.body.scrollHeight")
    edges = card.evaluate(f"{LEAVES}.flatMap((one) => [...one.getClientRects()]).map((box) => [box.left, box.right])")

    assert 0.8 * SHEET_PX[1] < height < (1 - ROOM_LEFT) * SHEET_PX[1]
    assert min(left for left, _ in edges) >= 0
    assert max(right for _, right in edges) <= SHEET_PX[0]


def test_no_text_lies_over_another(card: Page) -> None:
    over = card.evaluate(
        """() => {
          const boxes = [...document.querySelectorAll("li, td:last-child, h2")]
            .map((one) => [one, one.getClientRects()]);
          const hits = [];
          for (const [one, ours] of boxes) for (const [other, theirs] of boxes) {
            if (one === other) continue;
            for (const a of ours) for (const b of theirs) {
              const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
              const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
              if (wide > 1 && high > 1) hits.push([one.textContent, other.textContent]);
            }
          }
          return hits;
        }"""
    )

    assert over == []


def test_it_is_printed_large_enough_to_be_read(card: Page) -> None:
    sizes = card.evaluate(
        f"{LEAVES}.map((one) => [one.textContent, parseFloat(getComputedStyle(one).fontSize) * 72 / 96])"
    )

    assert len(sizes) > 150
    assert [text for text, points in sizes if points < SMALLEST_PT] == []


def test_emergencies_come_first(card: Page) -> None:
    heads = card.evaluate("[...document.querySelectorAll('h2')].map((one) => one.firstChild.textContent.trim())")

    assert heads[0] == driver_card.HEADS["emergency"].ko

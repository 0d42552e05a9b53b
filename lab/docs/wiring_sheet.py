"""A sheet of paper for circuits: schemdraw with every part at given coordinates, written as SVG, always the same.

Coordinates are in drawing units, 36 of the picture's pixels each, y upwards. A sheet is at most `WIDTH_PX_MAX` wide, so
that its writing can be read on a telephone.
"""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias

import schemdraw
from schemdraw import elements as elm

Point: TypeAlias = tuple[float, float]
Side: TypeAlias = Literal["left", "right", "above", "below"]

WIDTH_PX_MAX: Final = 510
"""A telephone shows 375 pixels: writing of `TEXT_PX` is then at least 10 pixels high."""

TEXT_PX: Final = 14
_FONT: Final = "DejaVu Sans, Arial, sans-serif"
_LONG: Final = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")

_VEHICLE: Final[Any] = elm.GroundChassis
_RAIL: Final[Any] = elm.Vdd
_PARTS: Final[dict[str, Any]] = {
    "resistor": elm.ResistorIEC,
    "capacitor": elm.Capacitor,
    "electrolytic": elm.Capacitor2,
    "diode": elm.Diode,
    "schottky": elm.Schottky,
    "zener": elm.Zener,
    "tvs": elm.DiodeTVS,
    "led": elm.LED,
    "fuse": elm.FuseIEC,
    "button": elm.Button,
    "motor": elm.Motor,
    "choke": elm.Inductor2,
}


class Sheet:
    """One circuit. What is drawn is the caller's; nothing is placed by itself."""

    def __init__(self, title: str, description: str) -> None:
        self.title = title
        self.description = description
        self._drawing: Any = schemdraw.Drawing(canvas="svg", show=False)
        self._drawing.config(fontsize=TEXT_PX, lw=1.6, bgcolor="white", margin=0.45)

    def wire(self, *points: Point) -> None:
        """Draw a line from point to point."""
        for start, end in pairwise(points):
            self._drawing.add(elm.Line().at(start).to(end))

    def part(self, kind: str, start: Point, end: Point, text: str = "", side: Side = "right") -> None:
        """Draw a part with two ends; a diode's anode is at `start`. `text` stands on that side of its middle."""
        self._drawing.add(_PARTS[kind]().at(start).to(end))
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        reach = 0.45 if side in ("left", "right") else 0.35
        self.text(_beside(middle, side, reach + {"led": 0.5, "motor": 0.25}.get(kind, 0)), text, side)

    def text(self, at: Point, text: str, side: Side = "right") -> None:
        """Write, beginning at the point (`right`), ending there (`left`), or centred above or below it."""
        if not text:
            return
        halign: Any = {"right": "left", "left": "right"}.get(side, "center")
        valign: Any = {"above": "bottom", "below": "top"}.get(side, "center")
        # An SVG's "hanging" baseline is a little above the letters.
        at = (at[0], at[1] - 0.2) if side == "below" else at
        self._drawing.add(elm.Label().at(at).label(text, ofst=(0, 0), halign=halign, valign=valign, font=_FONT))

    def dot(self, *points: Point) -> None:
        """Mark joints."""
        for point in points:
            self._drawing.add(elm.Dot(radius=0.08).at(point))

    def ground(self, at: Point, text: str = "") -> None:
        """Draw the box's own ground: the Pi's."""
        self._drawing.add(elm.Ground().at(at))
        self.text((at[0] + 0.45, at[1] - 0.3), text)

    def chassis(self, at: Point, text: str = "") -> None:
        """Draw the vehicle's ground, which is not the box's."""
        self._drawing.add(_VEHICLE().at(at))
        self.text((at[0] + 0.55, at[1] - 0.3), text)

    def supply(self, at: Point, text: str) -> None:
        """Draw a supply rail above the point."""
        self._drawing.add(_RAIL().at(at))
        self.text((at[0], at[1] + 0.55), text, "above")

    def port(self, at: Point, text: str, side: Side) -> None:
        """Draw a contact of a connector or a pin, with its name on that side."""
        self._drawing.add(elm.Dot(radius=0.13, open=True).at(at))
        self.text(_beside(at, side, 0.4 if side == "below" else 0.3), text, side)

    def box(self, low: Point, high: Point, text: str = "", dashed: bool = False) -> None:
        """Draw a frame between two corners, its name inside at the top."""
        frame = elm.Rect(corner1=low, corner2=high, ls="--" if dashed else "-", lw=1.0 if dashed else 1.6)
        self._drawing.add(frame.at((0, 0)).theta(0))
        self.text(((low[0] + high[0]) / 2, high[1] - 0.15), text, "below")

    def nfet(self, gate: Point) -> tuple[Point, Point]:
        """Draw an N-channel MOSFET with its gate at the left; gives drain and source."""
        drain, source = self._ends(elm.NFet(bulk=False).theta(0).reverse(), gate, "gate", ("drain", "source"))
        return drain, source

    def pfet(self, source: Point) -> tuple[Point, Point]:
        """Draw a P-channel MOSFET upright, source on top; gives drain and gate (at the right)."""
        drain, gate = self._ends(elm.PFet(bulk=False).theta(0), source, "source", ("drain", "gate"))
        return drain, gate

    def npn(self, base: Point) -> tuple[Point, Point]:
        """Draw an NPN transistor with its base at the left; gives collector and emitter."""
        collector, emitter = self._ends(elm.BjtNpn(circle=True).theta(0), base, "base", ("collector", "emitter"))
        return collector, emitter

    def pnp(self, base: Point) -> tuple[Point, Point]:
        """Draw a PNP transistor with its base at the left, emitter on top; gives emitter and collector."""
        emitter, collector = self._ends(elm.BjtPnp(circle=True).theta(0), base, "base", ("emitter", "collector"))
        return emitter, collector

    def opto(self, anode: Point) -> tuple[Point, Point, Point]:
        """Draw an opto-isolator with its LED at the left; gives cathode, collector and emitter."""
        ends = ("cathode", "collector", "emitter")
        cathode, collector, emitter = self._ends(elm.Optocoupler().theta(0), anode, "anode", ends)
        return cathode, collector, emitter

    def transformer(self, primary: Point) -> tuple[Point, Point, Point]:
        """Draw a 1:1 transformer from its upper left end; gives lower left, upper right, lower right."""
        low, out, back = self._ends(elm.Transformer(t1=4, t2=4).theta(0), primary, "p1", ("p2", "s1", "s2"))
        return low, out, back

    def svg(self) -> str:
        """Give the picture. Numbers are rounded, so that it is the same on every machine."""
        text: str = self._drawing.draw(show=False).getimage("svg").decode()
        text = _LONG.sub(lambda found: f"{round(float(found[0]), 2) + 0.0:g}", text)
        words = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        head, body = re.split(r"(?<=>)", text, maxsplit=1)
        head = head.replace("<svg ", '<svg role="img" ', 1).replace('pt"', '"')
        return f"{head}\n{words}\n{body}".replace("><", ">\n<") + "\n"

    def _ends(self, element: Any, at: Point, anchor: str, ends: tuple[str, ...]) -> tuple[Point, ...]:
        placed = self._drawing.add(element.anchor(anchor).at(at))
        return tuple((float(placed.absanchors[end][0]), float(placed.absanchors[end][1])) for end in ends)


def _beside(at: Point, side: Side, reach: float) -> Point:
    dx, dy = {"left": (-1, 0), "right": (1, 0), "above": (0, 1), "below": (0, -1)}[side]
    return at[0] + dx * reach, at[1] + dy * reach


def size_px(svg: str) -> tuple[float, float]:
    """Width and height of a picture, from its viewBox. Raises ValueError where it has none."""
    found = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', svg)
    if found is None:
        raise ValueError("the picture has no viewBox")
    return float(found[1]), float(found[2])

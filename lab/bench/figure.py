"""One benchmark's result: what was measured, against what, under which bar, and whether it holds."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lab.bench.machine import Machine


class Figure(Struct, frozen=True, kw_only=True):
    """A figure as it stands in `<name>.json`."""

    name: str
    value: float
    unit: str
    against: str
    """What it is compared with, in words; where it is the bar itself, that is said."""
    against_value: float | None = None
    """That, in `unit`, measured in the same run."""
    ratio: float | None = None
    """value / against_value."""
    bar: float | None = None
    """The most that is allowed: of the ratio or of the value, see `bar_on`; None for what is only told."""
    bar_on: Literal["ratio", "value"] = "ratio"
    holds: bool = True
    aim: float | None = None
    """What we want beyond the bar."""
    n: int = 0
    """Samples behind `value`."""
    samples: tuple[str, ...] = ()
    """Files beside this one with every raw sample."""
    runs: tuple[dict[str, Any], ...] = ()
    """The same figure in each block or restart of this run: how far it moves."""
    detail: dict[str, Any] = {}
    machine: Machine | None = None

    @property
    def judged(self) -> float | None:
        """The number that the bar is held against."""
        return self.ratio if self.bar_on == "ratio" else self.value


def ratio(
    name: str, value: float, unit: str, against: str, against_value: float, bar: float | None, **more: Any
) -> Figure:
    """Give a figure judged by its ratio to something else measured beside it."""
    found = value / against_value
    holds = bar is None or found <= bar
    return Figure(
        name=name,
        value=round(value, 4),
        unit=unit,
        against=against,
        against_value=round(against_value, 4),
        ratio=round(found, 3),
        bar=bar,
        holds=holds,
        **more,
    )


def bounded(
    name: str, value: float, unit: str, bar: float | None, *, against: str = "the bar itself", **more: Any
) -> Figure:
    """Give a figure judged by its own size."""
    compared = None if bar is None else round(value / bar, 3)
    holds = bar is None or value <= bar
    return Figure(
        name=name,
        value=round(value, 4),
        unit=unit,
        against=against,
        against_value=bar,
        ratio=compared,
        bar=bar,
        bar_on="value",
        holds=holds,
        **more,
    )


def beside(
    name: str, value: float, unit: str, against: str, against_value: float, bar: float | None, **more: Any
) -> Figure:
    """Give a figure judged by its own size, with the same measured elsewhere in this run beside it."""
    return Figure(
        name=name,
        value=round(value, 4),
        unit=unit,
        against=against,
        against_value=round(against_value, 4),
        ratio=round(value / against_value, 3),
        bar=bar,
        bar_on="value",
        holds=bar is None or value <= bar,
        **more,
    )


def quantile(samples: Sequence[float], share: float) -> float:
    """Give the sample below which `share` of them lie (nearest rank); raises ValueError for none."""
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Give count, median, p90, p99, least and most."""
    return {
        "n": len(samples),
        "p50": round(statistics.median(samples), 4),
        "p90": round(quantile(samples, 0.9), 4),
        "p99": round(quantile(samples, 0.99), 4),
        "min": round(min(samples), 4),
        "max": round(max(samples), 4),
    }


def write_samples(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write raw samples as CSV; gives the file's name."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([f"{cell:.7g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return path.name


def write(figure: Figure, out: Path, machine: Machine) -> Path:
    """Write `<name>.json` and give its path."""
    path = out / f"{figure.name}.json"
    data = msgspec.json.encode(msgspec.structs.replace(figure, machine=machine))
    path.write_bytes(msgspec.json.format(data, indent=2) + b"\n")
    return path


def read(path: Path) -> Figure:
    """Read one back; raises msgspec.ValidationError for what is none."""
    return msgspec.json.decode(path.read_bytes(), type=Figure)


def table(figures: Sequence[Figure]) -> str:
    """Give all figures as text for a terminal."""
    head = ("figure", "value", "against", "ratio", "bar", "holds")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _row(figure: Figure) -> tuple[str, ...]:
    alone = figure.bar_on == "value" and figure.against_value in (None, figure.bar)
    against = "" if alone or figure.against_value is None else f"{figure.against_value:g}"
    shown = "" if alone or figure.ratio is None else f"{figure.ratio:.2f}x"
    sign = "x" if figure.bar_on == "ratio" else f" {figure.unit}"
    bar = "told only" if figure.bar is None else f"<= {figure.bar:g}{sign}"
    verdict = "" if figure.bar is None else "yes" if figure.holds else "NO"
    return (figure.name, f"{figure.value:g} {figure.unit}", against, shown, bar, verdict)

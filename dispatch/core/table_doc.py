"""The floor control server machine's table as Markdown, for docs/protocol.md: made from the table that decides."""

from collections.abc import Callable

from dispatch.core.floor import TABLE
from dispatch.core.inputs import Word
from dispatch.core.state import FloorState


def markdown() -> str:
    """Give the table and what each procedure in it does; ends with a newline."""
    head = [
        "| input | " + " | ".join(f"`{state.value}`" for state in FloorState) + " |",
        "|---|" + "---|" * len(FloorState),
    ]
    rows = [f"| {word.value} | " + " | ".join(_cell(state, word) for state in FloorState) + " |" for word in Word]
    cells = ((state, word) for word in Word for state in FloorState)
    procedures = dict.fromkeys(TABLE[cell] for cell in cells if cell in TABLE)
    legend = [f"- `{procedure.__name__}`: {_says(procedure)}" for procedure in procedures]
    return (
        "\n".join([*head, *rows, "", "`-`: discarded and counted, the state is kept (TS 24.380 6.3.4.1).", "", *legend])
        + "\n"
    )


def _cell(state: FloorState, word: Word) -> str:
    procedure = TABLE.get((state, word))
    return "-" if procedure is None else f"`{procedure.__name__}`"


def _says(procedure: Callable[..., object]) -> str:
    text = procedure.__doc__
    if not text:
        raise ValueError(f"{procedure.__name__} stands in the table and says nothing of itself")
    return " ".join(text.split("\n\n")[0].split())

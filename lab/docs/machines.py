"""Tables of the two floor machines, made from the tables that decide."""

from dispatch.core import table_doc
from gateway.core.floor_machine import TABLE
from gateway.core.participant_words import State, Word
from lab.docs.markdown import says, table


def server() -> str:
    """The floor control server's."""
    return table_doc.markdown()


def participant() -> str:
    """The floor participant's, with what each procedure does."""
    rows = [(word.value, *(_cell(state, word) for state in State)) for word in Word]
    cells = (TABLE[state, word] for word in Word for state in State if (state, word) in TABLE)
    legend = {procedure.__name__: says(procedure) for procedure in cells}
    listed = "\n".join(f"- `{name}`: {text}" for name, text in legend.items())
    head = ("input", *(f"`{state.value}`" for state in State))
    return f"{table(head, rows)}\n`-`: discarded, the state is kept (TS 24.380 6.2.4.1).\n\n{listed}\n"


def _cell(state: State, word: Word) -> str:
    procedure = TABLE.get((state, word))
    return "-" if procedure is None else f"`{procedure.__name__}`"

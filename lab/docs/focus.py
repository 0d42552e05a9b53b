"""Audio focus, from the tables that decide."""

from gateway.core.focus import RULES, TABLE, Input, Standing, Turn
from lab.docs.markdown import table


def inputs() -> str:
    """What each input does in each standing."""
    rows = [(what.value, *(_cell(standing, what) for standing in Standing)) for what in Input]
    return table(("input", *(f"active: {standing.value}" for standing in Standing)), rows)


def rules() -> str:
    """What holds in each standing."""
    heads = ("active", "focus", "colleagues are heard", "a press", "a talk under way", "voice mutes the head unit")
    rows = []
    for standing, rule in RULES.items():
        mutes = "yes" if rule.mute_line else "no"
        rows.append((standing.value, rule.focus.value, rule.playback.value, rule.press, rule.talk, mutes))
    return table(heads, rows)


def _cell(standing: Standing, what: Input) -> str:
    to, turn = TABLE[standing, what]
    return (
        "-"
        if turn is Turn.NONE and to is standing
        else f"{to.value}" + ("" if turn is Turn.NONE else f": {turn.value}")
    )

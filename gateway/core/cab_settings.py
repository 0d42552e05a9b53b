"""Tables of gateway.toml about the cab: who may be heard when, and when a button is not believed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class FocusSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The car's telephone and navigation beside the radio, and the mute line to its head unit."""

    settle_ms: Annotated[
        int, Meta(ge=0, le=1000, description="A change of either input counts once it has lasted so long, in ms")
    ] = 50
    stuck_after_s: Annotated[
        float,
        Meta(ge=60, le=86_400, description="A telephone input active for so long is faulty and ignored, in s"),
    ] = 1800.0
    navigation_stuck_after_s: Annotated[
        float,
        Meta(ge=10, le=86_400, description="A navigation input active for so long is faulty and ignored, in s"),
    ] = 120.0
    mute_hang_ms: Annotated[
        int, Meta(ge=0, le=5000, description="The head unit stays muted so long after voice has ended, in ms")
    ] = 300


class ButtonSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the push-to-talk button is taken for stuck: the floor is given back, driver and office are told."""

    stuck_silence_s: Annotated[
        float, Meta(ge=0, le=600, description="Held with the floor, and no speech for so long, in s; 0: never")
    ] = 15.0
    stuck_held_s: Annotated[
        float,
        Meta(
            ge=5,
            le=3600,
            description="Held without the floor for so long, in s; waiting in the queue apart",
        ),
    ] = 120.0

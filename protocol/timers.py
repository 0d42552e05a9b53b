"""Durations of the protocol, named after the timers and counters of 3GPP TS 24.380 where it has one.

All are seconds. A deviation from the standard's value is listed in docs/protocol.md.
"""

LEASE_S = 3.0
"""T1, end of media: a holder whose renewals stop this long is freed by the floor control server."""
RENEW_S = 1.0
"""How often a holder renews its lease."""
FIRST_RENEW_S = 3.0
"""A grant that is not renewed once within this time is freed: nobody is there to use it. Twice the longest round trip
over which a press is still heard without a gap (ADR 0020)."""
WILL_GRACE_S = 1.0
"""After a last will the floor is freed unless a newer connection renews the burst within this time."""
OUTAGE_GRACE_S = 1.5
"""The least time a holder still has once broker and store are back after an outage."""
LOST_S = 5.0
"""A speaker unanswered this long gives the floor up by itself."""

RESTART_GRACE_S = 1.9
"""The time a holder has to renew from when a restarted server first sees it; with LEASE_S it stays under 5 s."""

TALK_LIMIT_S = 30.0
"""T2, stop talking: default talk-time limit of one burst."""
TALK_LIMIT_SERVER_EXTRA_S = 2.0
"""The server's own limit is this much later than the one it grants."""
TALK_WARNING_S = 5.0
"""The driver is warned this long before the limit."""
RELEASE_MIN_S = 0.3
"""A pause shorter than this is none: after a limit a press needs as long a one; the limit runs on over a shorter."""
NAVIGATION_HOLDS_S = 5.0
"""A speaker that navigation silences keeps the floor so long."""
REVOKE_GRACE_S = 1.0
"""T3, stop talking grace: how long a revoked holder has to release before the floor is taken from it."""

REQUEST_RETRANSMIT_S = 0.5
"""T101: an unanswered floor request is sent again after this time."""
REQUEST_GIVE_UP_S = 1.9
"""An unanswered request is given up and told to the driver; under the 2 s of invariant 4."""
RELEASE_RETRANSMIT_S = 0.5
"""T100: an unanswered floor release is sent again after this time."""
RELEASE_TRIES_MAX = 20
"""C100: by then the lease has long freed the floor."""
QUEUED_REFRESH_S = 1.0
"""A queued member repeats its request this often; the queue forgets it after QUEUED_EXPIRE_S."""
QUEUED_EXPIRE_S = 3.0
"""A queued member that did not repeat its request for this long is taken out of the queue."""
QUEUED_GIVE_UP_S = 5.0
"""A queued member whose position is confirmed no more for this long gives up: it may have been forgotten."""
FLOOR_MESSAGE_EXPIRY_S = 2
"""MQTT message expiry of floor messages: what is later than this must not be delivered."""

HANG_S = 5.0
"""T4, inactivity: default time a session stays open after its last burst."""
HEARTBEAT_S = 60.0
"""How often a member sends a heartbeat; the first one after half of it to all of it, at random."""
HEARTBEAT_ACK_S = 5.0
"""A heartbeat unacknowledged this long is retried after HEARTBEAT_RETRY_S."""
HEARTBEAT_RETRY_S = 30.0
"""How long after an unacknowledged heartbeat the next one is sent."""
PARTICIPANT_EXPIRE_S = 170.0
"""A member whose heartbeats stop is gone after this much connected time."""
CLEANER_SWEEP_S = 120.0
"""How often the store is swept for what leases and expiry should have removed."""
CLEANER_PARTICIPANT_S = 180.0
"""A member the sweep sees unchanged for this long, though expiry should have come first, is removed."""
JOIN_SPREAD_S = 1.0
"""Joins and leaves are told over this span at random, so that 500 of them are no herd."""

PLAYED_SPREAD_S = 0.3
"""What was played of a burst is told over this span at random, likewise."""

HEARD_EARLIEST_S = 1.5
"""After a burst, until then only the answers of all who are online end the count of who heard it: joins come late."""

HEARD_WAIT_S = 4.0
"""After a burst, the count of who heard it ends without those who have not answered."""

TRANSMIT_REPEAT_S = 0.2
"""The loop repeats the worker's permission this often while the button is down."""
TRANSMIT_LEASE_S = 0.5
"""The worker's permission holds this long after the last repetition."""
PRE_ROLL_S = 2.0
"""The most speech kept between the button's edge and the grant."""
TAIL_S = 2.0
"""No frame leaves later than this after key-up."""
DRAIN_S = 0.5
"""Listeners wait for what is missing of a released burst's tail for at most this long..."""
TAIL_HEARD_S = 2.5
"""...and play what waits of it, because it waited for its grant, for at most this long."""
EARLY_FRAMES_S = 3.0
"""Frames that overtake their announcement wait at most this long."""
SEND_AGE_S = 0.5
"""The sender drops voice older than this instead of sending it late."""
VOICE_THROUGH_S = 1.0
"""A renewal is sent only if voice got through within this time."""

AGORA_OVERLAP_S = 1.5
"""A burst goes out over both ways for at least this long, so that listeners can lay the two over each other."""
AGORA_HANDOVER_S = 2.0
"""MQTT voice of a burst stops this long after Agora took it up, whoever has not joined; who hears nothing asks."""
AGORA_ASK_S = 0.2
"""A listener that hears nothing of a burst that should be on Agora asks for MQTT voice after this time..."""
AGORA_ASK_REPEAT_S = 0.5
"""...and asks again this often."""
AGORA_AHEAD_S = 0.1
"""PCM is pushed to Agora at most this far ahead of real time."""
TOKEN_WAIT_MIN_S = 0.1
"""A member without a valid token at a session's start waits this long at least..."""
TOKEN_WAIT_MAX_S = 0.5
"""...and this long at most, at random; then it looks whether the session still runs, and only then asks for one."""
REVOKE_S = 5.0
"""A revoked member is out of everything within this time."""
ADMISSION_POLL_S = 1.0
"""How often the floor control server looks for changes of the registry."""

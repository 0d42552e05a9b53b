// Made by `make docs` from protocol/: do not edit.

/** T1, end of media: a holder whose renewals stop this long is freed by the floor control server. */
export const LEASE_S = 3.0;
/** How often a holder renews its lease. */
export const RENEW_S = 1.0;
/** A grant that is not renewed once within this time is freed: nobody is there to use it. Twice the longest round trip over which a press is still heard without a gap (ADR 0020). */
export const FIRST_RENEW_S = 3.0;
/** After a last will the floor is freed unless a newer connection renews the burst within this time. */
export const WILL_GRACE_S = 1.0;
/** The least time a holder still has once broker and store are back after an outage. */
export const OUTAGE_GRACE_S = 1.5;
/** A speaker unanswered this long gives the floor up by itself. */
export const LOST_S = 5.0;
/** The time a holder has to renew from when a restarted server first sees it; with LEASE_S it stays under 5 s. */
export const RESTART_GRACE_S = 1.9;
/** T2, stop talking: default talk-time limit of one burst. */
export const TALK_LIMIT_S = 30.0;
/** The server's own limit is this much later than the one it grants. */
export const TALK_LIMIT_SERVER_EXTRA_S = 2.0;
/** The driver is warned this long before the limit. */
export const TALK_WARNING_S = 5.0;
/** A pause shorter than this is none: after a limit a press needs as long a one; the limit runs on over a shorter. */
export const RELEASE_MIN_S = 0.3;
/** A speaker that navigation silences keeps the floor so long. */
export const NAVIGATION_HOLDS_S = 5.0;
/** T3, stop talking grace: how long a revoked holder has to release before the floor is taken from it. */
export const REVOKE_GRACE_S = 1.0;
/** T101: an unanswered floor request is sent again after this time. */
export const REQUEST_RETRANSMIT_S = 0.5;
/** An unanswered request is given up and told to the driver; under the 2 s of invariant 4. */
export const REQUEST_GIVE_UP_S = 1.9;
/** T100: an unanswered floor release is sent again after this time. */
export const RELEASE_RETRANSMIT_S = 0.5;
/** C100: by then the lease has long freed the floor. */
export const RELEASE_TRIES_MAX = 20;
/** A queued member repeats its request this often; the queue forgets it after QUEUED_EXPIRE_S. */
export const QUEUED_REFRESH_S = 1.0;
/** A queued member that did not repeat its request for this long is taken out of the queue. */
export const QUEUED_EXPIRE_S = 3.0;
/** A queued member whose position is confirmed no more for this long gives up: it may have been forgotten. */
export const QUEUED_GIVE_UP_S = 5.0;
/** MQTT message expiry of floor messages: what is later than this must not be delivered. */
export const FLOOR_MESSAGE_EXPIRY_S = 2;
/** T4, inactivity: default time a session stays open after its last burst. */
export const HANG_S = 5.0;
/** How often a member sends a heartbeat; the first one after half of it to all of it, at random. */
export const HEARTBEAT_S = 60.0;
/** A heartbeat unacknowledged this long is retried after HEARTBEAT_RETRY_S. */
export const HEARTBEAT_ACK_S = 5.0;
/** How long after an unacknowledged heartbeat the next one is sent. */
export const HEARTBEAT_RETRY_S = 30.0;
/** A member whose heartbeats stop is gone after this much connected time. */
export const PARTICIPANT_EXPIRE_S = 170.0;
/** How often the store is swept for what leases and expiry should have removed. */
export const CLEANER_SWEEP_S = 120.0;
/** A member the sweep sees unchanged for this long, though expiry should have come first, is removed. */
export const CLEANER_PARTICIPANT_S = 180.0;
/** Joins and leaves are told over this span at random, so that 500 of them are no herd. */
export const JOIN_SPREAD_S = 1.0;
/** What was played of a burst is told over this span at random, likewise. */
export const PLAYED_SPREAD_S = 0.3;
/** After a burst, until then only the answers of all who are online end the count of who heard it: joins come late. */
export const HEARD_EARLIEST_S = 1.5;
/** After a burst, the count of who heard it ends without those who have not answered. */
export const HEARD_WAIT_S = 4.0;
/** The loop repeats the worker's permission this often while the button is down. */
export const TRANSMIT_REPEAT_S = 0.2;
/** The worker's permission holds this long after the last repetition. */
export const TRANSMIT_LEASE_S = 0.5;
/** The most speech kept between the button's edge and the grant. */
export const PRE_ROLL_S = 2.0;
/** No frame leaves later than this after key-up. */
export const TAIL_S = 2.0;
/** Listeners wait for what is missing of a released burst's tail for at most this long... */
export const DRAIN_S = 0.5;
/** ...and play what waits of it, because it waited for its grant, for at most this long. */
export const TAIL_HEARD_S = 2.5;
/** Frames that overtake their announcement wait at most this long. */
export const EARLY_FRAMES_S = 3.0;
/** The sender drops voice older than this instead of sending it late. */
export const SEND_AGE_S = 0.5;
/** A renewal is sent only if voice got through within this time. */
export const VOICE_THROUGH_S = 1.0;
/** A burst goes out over both ways for at least this long, so that listeners can lay the two over each other. */
export const AGORA_OVERLAP_S = 1.5;
/** MQTT voice of a burst stops this long after Agora took it up, whoever has not joined; who hears nothing asks. */
export const AGORA_HANDOVER_S = 2.0;
/** A listener that hears nothing of a burst that should be on Agora asks for MQTT voice after this time... */
export const AGORA_ASK_S = 0.2;
/** ...and asks again this often. */
export const AGORA_ASK_REPEAT_S = 0.5;
/** PCM is pushed to Agora at most this far ahead of real time. */
export const AGORA_AHEAD_S = 0.1;
/** A member without a valid token at a session's start waits this long at least... */
export const TOKEN_WAIT_MIN_S = 0.1;
/** ...and this long at most, at random; then it looks whether the session still runs, and only then asks for one. */
export const TOKEN_WAIT_MAX_S = 0.5;
/** A revoked member is out of everything within this time. */
export const REVOKE_S = 5.0;
/** How often the floor control server looks for changes of the registry. */
export const ADMISSION_POLL_S = 1.0;

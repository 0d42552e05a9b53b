// Made by `make docs` from protocol/: do not edit.

/** Topic kind -> the tail of its topic; `{}` stands for ids. */
export const TOPICS = Object.freeze({
  "SESSION": "session",
  "FLOOR": "floor/{}",
  "FLOOR_AGAIN": "floor/{}/again",
  "REPLY": "floor/{}/reply",
  "PRESENCE": "presence/{}",
  "ROSTER": "roster",
  "HEARTBEAT": "heartbeat/{}",
  "ALERT": "device/{}/alert/{}",
  "DEVICE_TRACE": "device/{}/trace",
  "COMMAND": "device/{}/cmd",
  "COMMAND_REPLY": "device/{}/cmd/reply",
  "VOICE": "voice/{}"
});
/** Topic kind -> the types it carries. */
export const CARRIES = Object.freeze({
  "SESSION": [
    "session"
  ],
  "FLOOR": [
    "floor_release",
    "floor_renew",
    "floor_request"
  ],
  "FLOOR_AGAIN": [
    "floor_release",
    "floor_renew",
    "floor_request"
  ],
  "REPLY": [
    "floor_ack",
    "floor_deny",
    "floor_granted",
    "floor_heard",
    "floor_queued",
    "floor_renewed",
    "floor_revoke",
    "time_answer"
  ],
  "PRESENCE": [
    "presence"
  ],
  "ROSTER": [
    "roster"
  ],
  "HEARTBEAT": [
    "burst_played",
    "heartbeat",
    "time_probe"
  ],
  "ALERT": [
    "alert"
  ],
  "DEVICE_TRACE": [
    "press_trace"
  ],
  "COMMAND": [
    "command"
  ],
  "COMMAND_REPLY": [
    "command_reply"
  ]
});
/** Longest payload, bytes. */
export const PAYLOAD_BYTES_MAX = 4096;
export const ROSTER_BYTES_MAX = 262144;
/** What can be said of a press, and to a listener. */
export const TOLD = Object.freeze({
  "GRANTED": "granted",
  "DENIED": "denied",
  "QUEUE_FULL": "queue full",
  "EMERGENCY_ON": "emergency going on",
  "OFFICE_FULL": "office full",
  "REFUSED": "refused",
  "NOT_ALLOWED": "not allowed",
  "QUEUED": "queued",
  "NO_CONNECTION": "no connection",
  "NO_ANSWER": "no answer",
  "NO_MICROPHONE": "no microphone",
  "NO_VOICE": "no voice",
  "CANCELLED": "cancelled",
  "TALK_ENDED": "talk ended",
  "LIMIT_NEAR": "limit near",
  "LIMIT_REACHED": "limit reached",
  "PREEMPTED": "preempted",
  "REVOKED": "revoked",
  "FLOOR_LOST": "floor lost",
  "NOT_HEARD": "not heard",
  "HEARD_AGAIN": "heard again",
  "SESSION_JOINED": "session joined",
  "SESSION_LEFT": "session left",
  "SOMEONE_SPEAKS": "someone speaks",
  "HEARD_BY": "heard by",
  "HEARD_UNKNOWN": "heard unknown",
  "NOBODY_HEARD": "nobody heard",
  "NOBODY_THERE": "nobody there",
  "LINK_LOST": "link lost",
  "LINK_BACK": "link back",
  "BUTTON_STUCK": "button stuck",
  "LET_GO": "let go",
  "PHONE_BUSY": "phone busy",
  "PHONE_TOOK": "phone took over",
  "NAVIGATION_HOLDS": "navigation speaks",
  "NAVIGATION_TOOK": "navigation took over",
  "CONTACT_STUCK": "contact stuck",
  "NOT_ENROLLED": "not enrolled",
  "NOT_ADMITTED": "not admitted",
  "EMERGENCY_HELD": "emergency held",
  "EMERGENCY_NOT_HELD": "emergency not held",
  "EMERGENCY": "emergency",
  "EMERGENCY_CANCELLED": "emergency cancelled",
  "EMERGENCY_ENDED": "emergency ended",
  "EMERGENCY_CLEARED": "emergency cleared",
  "EMERGENCY_FAILED": "emergency failed",
  "EMERGENCY_OFFLINE": "emergency offline",
  "EMERGENCY_HEARD": "emergency heard",
  "EMERGENCY_STUCK": "emergency stuck",
  "TURN_CAME": "turn came",
  "TRANSMITTER_MUTED": "transmitter muted",
  "PARKED": "parked",
  "WAKING": "waking",
  "IDENTIFY": "identify",
  "REPLAY": "replay",
  "MISSED": "missed",
  "NOTHING_TO_REPLAY": "nothing to replay",
  "NO_REPLAY_NOW": "no replay now"
});
/** Type -> JSON Schema, as docs/protocol.md has it. */
export const SCHEMAS = {
  alert: {"type":"object","properties":{"type":{"enum":["alert"]},"alert":{"type":"string","pattern":"^[a-z0-9][a-z0-9-]{0,31}$"},"severity":{"$ref":"#/$defs/Severity"},"what":{"type":"string","maxLength":256},"mend":{"type":"string","maxLength":256},"since":{"type":"integer","minimum":0,"maximum":9007199254740991}},"required":["type","alert","severity","what","mend","since"],"$defs":{"Severity":{"enum":["critical","warning"]}}},
  burst_played: {"type":"object","properties":{"type":{"enum":["burst_played"]},"connection_id":{"type":"array","minItems":3,"maxItems":3,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991},"frames":{"type":"integer","minimum":0,"maximum":9007199254740991},"concealed":{"type":"integer","minimum":0,"maximum":9007199254740991,"default":0},"heard_at":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null},"heard_error_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"join_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null}},"required":["type","connection_id","burst","frames"]},
  command: {"type":"object","properties":{"type":{"enum":["command"]},"id":{"type":"string","maxLength":64,"minLength":1,"pattern":"^[0-9A-Za-z._:-]+$(?!\\n)"},"op":{"type":"string","maxLength":32,"minLength":1},"by":{"anyOf":[{"type":"string","maxLength":256},{"type":"null"}],"default":null},"params":{"type":"object","default":{}}},"required":["type","id","op"]},
  command_reply: {"type":"object","properties":{"type":{"enum":["command_reply"]},"id":{"type":"string","maxLength":64,"minLength":1,"pattern":"^[0-9A-Za-z._:-]+$(?!\\n)"},"op":{"type":"string","maxLength":32},"ok":{"type":"boolean"},"what":{"type":"string","maxLength":256},"data":{"type":"object","default":{}}},"required":["type","id","op","ok","what"]},
  floor_ack: {"type":"object","properties":{"type":{"enum":["floor_ack"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false}},"required":["type","rev","request_id"]},
  floor_deny: {"type":"object","properties":{"type":{"enum":["floor_deny"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"cause":{"$ref":"#/$defs/DenyCause"},"speaker":{"anyOf":[{"type":"string","pattern":"^[a-z0-9][a-z0-9-]{0,31}$"},{"type":"null"}],"default":null},"speaker_name":{"anyOf":[{"type":"string","maxLength":64},{"type":"null"}],"default":null},"remaining_s":{"anyOf":[{"type":"number","minimum":0,"maximum":86400},{"type":"null"}],"default":null},"priority":{"$ref":"#/$defs/Priority","default":"normal"}},"required":["type","rev","request_id","cause"],"$defs":{"DenyCause":{"enum":["another_has_permission","internal_error","no_resources","not_admitted","only_participant","other","queue_full","receive_only","retry_after"]},"Priority":{"enum":["emergency","high","normal"]}}},
  floor_granted: {"type":"object","properties":{"type":{"enum":["floor_granted"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991},"duration_s":{"type":"number","minimum":0,"maximum":86400},"lease_s":{"type":"number","minimum":0,"maximum":86400},"all_joined":{"type":"boolean","default":false}},"required":["type","rev","request_id","burst","duration_s","lease_s"]},
  floor_heard: {"type":"object","properties":{"type":{"enum":["floor_heard"]},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991},"heard_by":{"type":"integer","minimum":0,"maximum":9007199254740991},"heard_of":{"type":"integer","minimum":0,"maximum":9007199254740991}},"required":["type","burst","heard_by","heard_of"]},
  floor_queued: {"type":"object","properties":{"type":{"enum":["floor_queued"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"position":{"type":"integer","minimum":1,"maximum":1000}},"required":["type","rev","request_id","position"]},
  floor_release: {"type":"object","properties":{"type":{"enum":["floor_release"]},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"burst":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null},"last_seq":{"anyOf":[{"type":"integer","minimum":0,"maximum":4294967295},{"type":"null"}],"default":null}},"required":["type","request_id"]},
  floor_renew: {"type":"object","properties":{"type":{"enum":["floor_renew"]},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991},"renew_no":{"type":"integer","minimum":0,"maximum":9007199254740991}},"required":["type","burst","renew_no"]},
  floor_renewed: {"type":"object","properties":{"type":{"enum":["floor_renewed"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991},"renew_no":{"type":"integer","minimum":0,"maximum":9007199254740991},"all_joined":{"type":"boolean","default":false}},"required":["type","rev","burst","renew_no"]},
  floor_request: {"type":"object","properties":{"type":{"enum":["floor_request"]},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"priority":{"$ref":"#/$defs/Priority","default":"normal"}},"required":["type","request_id"],"$defs":{"Priority":{"enum":["emergency","high","normal"]}}},
  floor_revoke: {"type":"object","properties":{"type":{"enum":["floor_revoke"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991},"cause":{"$ref":"#/$defs/RevokeCause"}},"required":["type","rev","burst","cause"],"$defs":{"RevokeCause":{"enum":["burst_too_long","no_permission","no_resources","only_one_client","other","preempted"]}}},
  heartbeat: {"type":"object","properties":{"type":{"enum":["heartbeat"]},"connection_id":{"type":"array","minItems":3,"maxItems":3,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"beat_no":{"type":"integer","minimum":0,"maximum":9007199254740991},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991,"default":0},"voice":{"$ref":"#/$defs/VoiceHealth","default":{"worker":"ok","capture":true,"playback":true,"link":true,"frames_played":0,"frames_concealed":0,"frames_late":0,"buffer_ms":0}}},"required":["type","connection_id","beat_no"],"$defs":{"VoiceHealth":{"type":"object","properties":{"worker":{"type":"string","maxLength":16,"default":"ok"},"capture":{"type":"boolean","default":true},"playback":{"type":"boolean","default":true},"link":{"type":"boolean","default":true},"frames_played":{"type":"integer","minimum":0,"maximum":9007199254740991,"default":0},"frames_concealed":{"type":"integer","minimum":0,"maximum":9007199254740991,"default":0},"frames_late":{"type":"integer","minimum":0,"maximum":9007199254740991,"default":0},"buffer_ms":{"type":"integer","minimum":0,"maximum":10000,"default":0}},"required":[]}}},
  presence: {"type":"object","properties":{"type":{"enum":["presence"]},"state":{"$ref":"#/$defs/PresenceState"},"connection_id":{"type":"array","minItems":3,"maxItems":3,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"presence_no":{"type":"integer","minimum":0,"maximum":9007199254740991},"in_channel":{"anyOf":[{"type":"string","maxLength":64,"minLength":1},{"type":"null"}],"default":null},"voice":{"$ref":"#/$defs/VoicePath","default":"mqtt"},"app_type":{"$ref":"#/$defs/AppType","default":"vehicle_gateway"},"name":{"anyOf":[{"type":"string","maxLength":64},{"type":"null"}],"default":null},"device_info":{"anyOf":[{"type":"string","maxLength":256},{"type":"null"}],"default":null},"hardware":{"anyOf":[{"type":"string","maxLength":64,"minLength":8,"pattern":"^[0-9a-z-]+$(?!\\n)"},{"type":"null"}],"default":null},"joined_at":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null},"reason":{"anyOf":[{"type":"string","maxLength":256},{"type":"null"}],"default":null}},"required":["type","state","connection_id","presence_no"],"$defs":{"PresenceState":{"enum":["lost","offline","online","sleeping"]},"VoicePath":{"enum":["agora","mqtt"]},"AppType":{"enum":["bridge","call_manager","monitor","pickup_driver","vehicle_gateway"]}}},
  press_trace: {"type":"object","properties":{"type":{"enum":["press_trace"]},"request_id":{"type":"array","minItems":4,"maxItems":4,"prefixItems":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"integer","minimum":0,"maximum":9007199254740991}],"items":false},"edge_at":{"type":"integer","minimum":0,"maximum":9007199254740991},"edge_error_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"priority":{"$ref":"#/$defs/Priority","default":"normal"},"handled_ms":{"type":"integer","minimum":0,"maximum":3600000,"default":0},"asked_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"permitted_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"through_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"key_up_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"released_ms":{"anyOf":[{"type":"integer","minimum":0,"maximum":3600000},{"type":"null"}],"default":null},"burst":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null},"told":{"type":"array","items":{"$ref":"#/$defs/TracedWord"},"maxItems":16,"default":[]},"speaker":{"anyOf":[{"type":"string","maxLength":64},{"type":"null"}],"default":null},"remaining_s":{"anyOf":[{"type":"number","minimum":0,"maximum":86400},{"type":"null"}],"default":null},"link_down_s":{"anyOf":[{"type":"number","minimum":0,"maximum":86400},{"type":"null"}],"default":null}},"required":["type","request_id","edge_at"],"$defs":{"Priority":{"enum":["emergency","high","normal"]},"TracedWord":{"type":"object","properties":{"ms":{"type":"integer","minimum":0,"maximum":3600000},"what":{"type":"string","maxLength":32}},"required":["ms","what"]}}},
  roster: {"type":"object","properties":{"type":{"enum":["roster"]},"participants":{"type":"integer","minimum":0,"maximum":9007199254740991},"members":{"type":"array","items":{"$ref":"#/$defs/RosterMember"}}},"required":["type","participants","members"],"$defs":{"RosterMember":{"type":"object","properties":{"user":{"type":"string","pattern":"^[a-z0-9][a-z0-9-]{0,31}$"},"state":{"$ref":"#/$defs/PresenceState"},"name":{"anyOf":[{"type":"string","maxLength":64},{"type":"null"}],"default":null},"app_type":{"$ref":"#/$defs/AppType","default":"vehicle_gateway"},"in_channel":{"type":"boolean","default":false}},"required":["user","state"]},"PresenceState":{"enum":["lost","offline","online","sleeping"]},"AppType":{"enum":["bridge","call_manager","monitor","pickup_driver","vehicle_gateway"]}}},
  session: {"type":"object","properties":{"type":{"enum":["session"]},"rev":{"type":"integer","minimum":0,"maximum":9007199254740991},"store":{"type":"string","maxLength":64,"minLength":1},"active":{"type":"boolean"},"channel_name":{"type":"string","maxLength":63,"minLength":1},"burst":{"type":"integer","minimum":0,"maximum":9007199254740991,"default":0},"current_speaker":{"anyOf":[{"type":"string","pattern":"^[a-z0-9][a-z0-9-]{0,31}$"},{"type":"null"}],"default":null},"speaker_name":{"anyOf":[{"type":"string","maxLength":64},{"type":"null"}],"default":null},"speaker_uid":{"type":"integer","minimum":0,"maximum":4294967295,"default":0},"priority":{"$ref":"#/$defs/Priority","default":"normal"},"event_id":{"anyOf":[{"type":"string","maxLength":64,"minLength":1},{"type":"null"}],"default":null},"started_at":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null},"ended":{"anyOf":[{"$ref":"#/$defs/Ended"},{"type":"null"}],"default":null},"last_seq":{"anyOf":[{"type":"integer","minimum":0,"maximum":4294967295},{"type":"null"}],"default":null},"heard_by":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null},"heard_of":{"anyOf":[{"type":"integer","minimum":0,"maximum":9007199254740991},{"type":"null"}],"default":null}},"required":["type","rev","store","active","channel_name"],"$defs":{"Priority":{"enum":["emergency","high","normal"]},"Ended":{"enum":["cleaned","limit","lost","preempted","released","superseded"]}}},
  time_answer: {"type":"object","properties":{"type":{"enum":["time_answer"]},"probe_no":{"type":"integer","minimum":0,"maximum":9007199254740991},"at":{"type":"integer","minimum":0,"maximum":9007199254740991}},"required":["type","probe_no","at"]},
  time_probe: {"type":"object","properties":{"type":{"enum":["time_probe"]},"probe_no":{"type":"integer","minimum":0,"maximum":9007199254740991}},"required":["type","probe_no"]},
};

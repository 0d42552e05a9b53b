"""Sentences of the command line for people, in English and Korean."""

from service.language import language_of as language_of

LANGUAGES = ("en", "ko")

_TEXT: dict[str, tuple[str, str]] = {
    "config_ok": ("{path}: good, {offices} office(s)", "{path}: 정상, 사무소 {offices}곳"),
    "running": (
        "service {replica}: running for {up} (pid {pid})",
        "서비스 {replica}: 실행 중, {up}째 (pid {pid})",
    ),
    "not_running": (
        "service: NOT RUNNING -> systemctl status ptt-dispatch; what follows is the last state in the store",
        "서비스: 실행되고 있지 않음 -> systemctl status ptt-dispatch; 아래는 저장소에 남은 마지막 상태",
    ),
    "stuck": (
        "service: DOES NOT ANSWER ({why}) -> try as root; if that does not help, systemctl restart ptt-dispatch",
        "서비스: 응답 없음 ({why}) -> root로 다시 확인하고, 그래도 안 되면 systemctl restart ptt-dispatch",
    ),
    "broker_up": ("broker: connected to {broker}", "브로커: {broker}에 연결됨"),
    "broker_down": (
        "broker: NOT CONNECTED to {broker}: {why} (trying again)",
        "브로커: {broker}에 연결되지 않음: {why} (재시도 중)",
    ),
    "dropped": ("messages dropped: {counts}", "버린 메시지: {counts}"),
    "store_ok": ("store: {where}, id {store}", "저장소: {where}, id {store}"),
    "store_error": ("store: UNAVAILABLE: {why}", "저장소: 사용할 수 없음: {why}"),
    "refused": ("  REFUSED: {why}", "  거부됨: {why}"),
    "never": ("  never served so far", "  아직 서비스된 적 없음"),
    "not_configured": (
        "  in the store, but not in the configuration",
        "  저장소에는 있으나 설정에는 없음",
    ),
    "session_active": ("  session: active since {since}", "  세션: {since}부터 진행 중"),
    "session_idle": ("  session: none", "  세션: 없음"),
    "holder": (
        "  floor: {name} ({user}), burst {burst}, {priority}",
        "  발언: {name} ({user}), 발언 번호 {burst}, {priority}",
    ),
    "idle": ("  floor: idle, last burst {burst} {ended}", "  발언: 없음, 마지막 발언 {burst} {ended}"),
    "queue": ("  waiting: {users}", "  대기: {users}"),
    "members": ("  members: {present} present of {known}", "  구성원: {known}명 중 {present}명 접속"),
    "in_channel": ("in channel", "채널 참여"),
    "events": (
        "  events: {last}, {unpublished} not yet published",
        "  이벤트: {last}건, 미발행 {unpublished}건",
    ),
    "admission_open": (
        "admission: OPEN, whoever the broker lets in is a member (admission in dispatch.toml)",
        "출입: 개방, 브로커가 받아들인 모두가 구성원 (dispatch.toml의 admission)",
    ),
    "admission": (
        "admission: {admitted} admitted, {revoked} revoked (registry {rev})",
        "출입: 허용 {admitted}명, 차단 {revoked}명 (등록부 {rev})",
    ),
    "registry_error": (
        "registry: CANNOT BE READ, its last state holds: {why}",
        "등록부: 읽을 수 없음, 마지막 상태를 유지: {why}",
    ),
    "broker_fault": (
        "broker users: NOT KEPT, a revoked user may stay connected: {why}",
        "브로커 사용자: 관리되지 않음, 차단된 사용자가 남아 있을 수 있음: {why}",
    ),
    "broker_missing": (
        "broker users: missing, enrol or rotate them: {logins}",
        "브로커 사용자: 없음, 다시 등록하거나 비밀을 교체: {logins}",
    ),
    "broker_unknown": (
        "broker users: unknown to the registry, disabled: {logins}",
        "브로커 사용자: 등록부에 없어 차단함: {logins}",
    ),
    "clones": (
        "CLONES: another unit uses the identity of {users}",
        "복제: 다른 장치가 {users}의 신원을 사용함",
    ),
    "kicks": (
        "Agora: {count} kicking rule(s) still to be carried out, last answer: {why}",
        "Agora: 처리할 추방 규칙 {count}건, 마지막 응답: {why}",
    ),
    "no_kicking": (
        "Agora: kicking rules not configured, tokens of a revoked user run out within {ttl} s",
        "Agora: 추방 규칙이 설정되지 않음, 차단된 사용자의 토큰은 {ttl}초 안에 만료됨",
    ),
    "minutes_head": (
        "  user                               joins    on Agora   if always   saving",
        "  사용자                             참여      Agora(분)   상시(분)   절감",
    ),
    "minutes_total": ("all", "합계"),
    "minutes_no_agora": (
        "nobody was joined to Agora, so no saving can be told; had all voice been Agora's, saved: {saving}",
        "Agora 참여 없음: 절감을 말할 수 없음, 모든 음성이 Agora였다면 절감: {saving}",
    ),
    "minutes_cost": (
        "cost: US$ {cost}; always joined: US$ {always}",
        "비용: US$ {cost}; 상시 참여 시: US$ {always}",
    ),
    "minutes_month": (
        "a month of {days} days like this: US$ {cost}; always joined: US$ {always}",
        "이대로 {days}일이면: US$ {cost}; 상시 참여 시: US$ {always}",
    ),
    "minutes_assumed": (
        "minutes joined to Agora, to about a second; 'if always': joined for the whole period, as a car always on is,\n"
        "from being made in the registry until being revoked. US$ {price} for 1000 minutes is an assumption: --price",
        "Agora 참여 시간(분, 약 1초 오차); '상시'는 등록부터 차단까지 기간 내내 참여한 경우.\n"
        "1000분당 US$ {price}는 가정값: --price",
    ),
    "restored": (
        "{office}: the numbers have gone back, the store was restored from a backup; going on with what is newer",
        "{office}: 저장소가 백업에서 복원되어 이벤트 번호가 되돌아감, 그 이후의 이벤트부터 계속 표시",
    ),
    "no_events": ("no such events", "해당하는 이벤트 없음"),
}


def say(key: str, lang: str, **fields: object) -> str:
    """Give the sentence in `lang` (another language means English), filled in."""
    return _TEXT[key][lang == "ko"].format(**fields)


def duration(seconds: float) -> str:
    """Give `3 d 04:05:06`, without days where there are none."""
    days, rest = divmod(int(seconds), 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock

"""What the registry's commands say to people, in English and Korean."""

from dispatch.registry.port import RegistryError
from protocol.rest import Role

_TEXT: dict[str, tuple[str, str]] = {
    "made": ("made:", "만든 것:"),
    "init_done": (
        "{office} ({name}) is ready; its first user is {admin} (admin)",
        "{office} ({name}) 준비 완료. 첫 사용자는 {admin}(관리자)",
    ),
    "admin_secret": (
        "secret of {admin}: {path} (take it out of there and delete the file)",
        "{admin}의 비밀 값: {path} (옮겨 적은 뒤 파일을 지우십시오)",
    ),
    "next": ("next:", "다음 할 일:"),
    "next_backup": (
        "keep a copy of {path} in a safe place: whoever has it can pose as the office, without it none can be renewed",
        "{path} 사본을 안전한 곳에 보관하십시오. 가진 사람은 사무소를 사칭할 수 있고, 없으면 갱신할 수 없습니다",
    ),
    "next_link": (
        "let mosquitto read its configuration: install -m 644 {conf} {place}",
        "mosquitto가 설정을 읽게 하십시오: install -m 644 {conf} {place}",
    ),
    "next_start": (
        "systemctl restart mosquitto; systemctl enable --now ptt-dispatch ptt-dispatch-rest ptt-dispatch-web "
        "ptt-dispatch-alerts ptt-dispatch-report.timer",
    )
    * 2,
    "probe_made": (
        "{login} presses once a minute from now on; secret in {path} -> systemctl restart ptt-dispatch-alerts",
        "{login}이(가) 앞으로 매분 한 번 누릅니다. 비밀 값: {path} -> systemctl restart ptt-dispatch-alerts",
    ),
    "next_device": (
        "ptt-dispatch device code car-1 --create --name NAME   (the first vehicle)",
        "ptt-dispatch device code car-1 --create --name 이름   (첫 차량)",
    ),
    "link_failed": ("not done: {why}", "하지 못함: {why}"),
    "secret": ("secret (shown this once): {secret}", "비밀 값(지금 한 번만 표시): {secret}"),
    "secret_file": ("secret written to {path}", "비밀 값을 {path}에 저장했습니다"),
    "login": ("login: {login}", "로그인: {login}"),
    "region_added": ("region {region} ({name}) added", "지역 {region} ({name}) 추가됨"),
    "office_added": (
        "office {office} ({name}) added, voice over {voice}",
        "사무소 {office} ({name}) 추가됨, 음성 경로 {voice}",
    ),
    "office_changed": ("office {office}: {name}, voice over {voice}", "사무소 {office}: {name}, 음성 경로 {voice}"),
    "user_added": (
        "user {user} ({name}, {role}) added to {office}",
        "{office}에 사용자 {user} ({name}, {role}) 추가됨",
    ),
    "user_unit": (
        "it has no secret: enrol its unit with ptt-dispatch device code {user}",
        "비밀 값이 없습니다. 다음으로 장치를 등록하십시오: ptt-dispatch device code {user}",
    ),
    "user_changed": (
        "user {user} of {office}: {name}, priority {priority}{listens}",
        "{office}의 사용자 {user}: {name}, 우선순위 {priority}{listens}",
    ),
    "listens": (", listens only", ", 듣기 전용"),
    "revoked_already": ("{user} was revoked already", "{user}은(는) 이미 사용 중지 상태입니다"),
    "revoke_office": ("office {office}, its users: {users}", "사무소 {office}의 사용자: {users}"),
    "revoke_registry": (
        "registry: revoked; secret forgotten, codes withdrawn, no tokens any more",
        "등록부: 사용 중지됨. 비밀 값 삭제, 등록 코드 회수, 토큰 발급 중단",
    ),
    "revoke_broker": ("broker: logins shut, connections cut", "브로커: 로그인 차단, 연결 끊음"),
    "revoke_broker_not": (
        "broker: NOT DONE: {why} (ptt-dispatch serve does it as soon as both run)",
        "브로커: 하지 못함: {why} (ptt-dispatch serve가 브로커와 함께 실행되면 바로 처리)",
    ),
    "revoke_agora": ("Agora: put out of the channel", "Agora: 채널에서 내보냄"),
    "revoke_agora_none": ("Agora: nothing to do", "Agora: 할 일 없음"),
    "revoke_agora_unset": (
        "Agora: no [agora.kicking] is configured: a token it holds runs out within {ttl_s} s",
        "Agora: [agora.kicking] 설정 없음. 가진 토큰은 {ttl_s}초 안에 만료됨",
    ),
    "revoke_agora_not": (
        "Agora: NOT DONE after {waited_s:.0f} s, {tries} tries{error} (serve goes on trying; a token runs out within "
        "{ttl_s} s)",
        "Agora: {waited_s:.0f}초, {tries}회 시도 후에도 못함{error} (serve가 계속 시도. 토큰은 {ttl_s}초 안에 만료)",
    ),
    "waiting": ("waiting for Agora ...", "Agora 처리를 기다리는 중 ..."),
    "restored": ("{user} may be admitted again", "{user}을(를) 다시 받아들일 수 있습니다"),
    "restored_unit": (
        "; enrol its unit: ptt-dispatch device code {user}",
        ". 장치 등록: ptt-dispatch device code {user}",
    ),
    "restored_person": (
        "; give it a secret: ptt-dispatch user rotate {user}",
        ". 비밀 값 발급: ptt-dispatch user rotate {user}",
    ),
    "rotated": (
        "{user} has a new secret; the old one opens nothing any more",
        "{user}의 비밀 값을 바꿨습니다. 이전 값은 더 이상 쓸 수 없습니다",
    ),
    "code_for": ("{user} ({name}), {office}", "{user} ({name}), {office}"),
    "code_url": ("URL:   {url}", "주소:  {url}"),
    "code_code": ("code:  {code}", "코드:  {code}"),
    "code_until": ("valid until {until}, once", "{until}까지 한 번만 유효"),
    "code_replaces": (
        "{user} is enrolled: the unit it has now is shut out as soon as this code is used",
        "{user}은(는) 이미 등록됨: 이 코드를 쓰면 지금 장치는 바로 차단됩니다",
    ),
    "code_enrol": (
        "on the vehicle: sudo ptt-gateway enrol {url} -   (then type the code), or put URL and code as two lines into "
        "ptt-enrol.txt on the card's boot partition",
        "차량에서: sudo ptt-gateway enrol {url} -   (코드 입력), 또는 카드 부트 파티션의 "
        "ptt-enrol.txt에 주소와 코드를 두 줄로",
    ),
    "code_png": (
        "QR code written to {path} (it opens the door: delete it afterwards)",
        "QR 코드를 {path}에 저장 (문을 여는 열쇠이니 쓰고 나서 지우십시오)",
    ),
    "replay_on": (
        "office {office}: what is said is kept for {keep_s} s, {count} bursts at most. Whoever speaks there must know "
        "and agree: see docs/recording.md. Vehicles upload from their next start on",
        "사무소 {office}: 통화 음성을 {keep_s}초 동안, 최대 {count}건 보관합니다. 말하는 사람이 이를 알고 동의해야 "
        "합니다(docs/recording.md). 차량은 다음 시작부터 올립니다",
    ),
    "replay_off": (
        "office {office}: nothing of what is said is kept; {count} bursts deleted",
        "사무소 {office}: 통화 음성을 보관하지 않습니다. {count}건 삭제됨",
    ),
    "bursts_deleted": ("{count} bursts deleted", "{count}건 삭제됨"),
    "no_bursts": ("no bursts are kept", "보관된 통화 없음"),
    "revoke_bursts": ("bursts kept of them: {count} deleted", "보관된 통화: {count}건 삭제됨"),
    "cured": ("{user}: clone alert ended", "{user}: 복제 경보 해제됨"),
    "alerts_cleared": (
        "{user}: cleared {alerts}. Should the unit come back, it raises again what still holds",
        "{user}: {alerts} 경보를 해제했습니다. 단말기가 돌아오면 남아 있는 경보를 다시 올립니다",
    ),
    "no_alerts": ("{user}: no alert of the unit stands", "{user}: 남아 있는 경보 없음"),
    "still_there": (
        "{user} is connected and clears its alerts itself -> mend what is wrong; an emergency: "
        "ptt cmd {office} {user} clear-emergency",
        "{user} 단말기는 연결되어 있고 경보를 스스로 해제합니다 -> 원인을 고치십시오. 긴급 알림은 "
        "ptt cmd {office} {user} clear-emergency",
    ),
    "not_cloned": ("{user}: no clone was noted", "{user}: 복제 기록 없음"),
    "no_users": ("no users", "사용자 없음"),
    "state_revoked": ("revoked {at}{why}", "사용 중지 {at}{why}"),
    "state_admitted": ("admitted", "사용 중"),
    "state_none": ("no secret yet", "비밀 값 없음"),
    "state_unit_none": ("not enrolled", "미등록"),
    "state_unit": ("enrolled ({generation})", "등록됨 ({generation})"),
    "state_clone": ("CLONE since {at}", "복제됨 {at}부터"),
    "state_code": ("code until {at}", "코드 {at}까지"),
    "cert": (
        "{path}: {hosts}; until {until} ({days} days)",
        "{path}: {hosts}; {until}까지 ({days}일 남음)",
    ),
    "cert_renewed": ("server certificate renewed", "서버 인증서 갱신됨"),
    "cert_next": ("next: systemctl reload mosquitto; systemctl restart ptt-dispatch-rest ptt-dispatch-web",) * 2,
    "broker_config": (
        "written: {paths}; start mosquitto: systemctl start mosquitto",
        "저장됨: {paths}; mosquitto 시작: systemctl start mosquitto",
    ),
    "role": ("role {role}", "역할 {role}"),
}

_ROLES_KO = {
    Role.VEHICLE_GATEWAY: "차량",
    Role.CALL_MANAGER: "콜 매니저",
    Role.PICKUP_DRIVER: "픽업 기사",
    Role.MONITOR: "모니터",
    Role.TECHNICIAN: "기술자",
    Role.ADMIN: "관리자",
    Role.BRIDGE: "브리지",
}


class Refused(RegistryError):
    """What a command cannot do as it was asked; says how to mend it."""


def tell(key: str, lang: str, **fields: object) -> str:
    """Give the sentence in `lang` (another language than ko means English), filled in."""
    return _TEXT[key][lang == "ko"].format(**fields)


def role_name(role: Role, lang: str) -> str:
    """Give a role as people call it."""
    return _ROLES_KO[role] if lang == "ko" else role.value.replace("_", " ")

"""What `sessions`, `clean`, `backup` and `restore` say to people, in English and Korean."""

_TEXT: dict[str, tuple[str, str]] = {
    # sessions
    "no_sessions": ("no session is running", "진행 중인 세션 없음"),
    "session": (
        "{office}  session {event_id}, for {elapsed} (since {since})",
        "{office}  세션 {event_id}, {elapsed}째 ({since}부터)",
    ),
    "speaker": (
        "  speaker: {name} ({user}), burst {burst}, {priority}, for {spoken}",
        "  발언: {name} ({user}), 발언 번호 {burst}, {priority}, {spoken}째",
    ),
    "speaker_stored": (
        "  speaker: {name} ({user}), burst {burst}, {priority}",
        "  발언: {name} ({user}), 발언 번호 {burst}, {priority}",
    ),
    "nobody": ("  speaker: nobody", "  발언: 없음"),
    "waiting": ("  waiting: {users}", "  대기: {users}"),
    "joined": ("  in channel: {joined} of {present} present", "  채널 참여: 접속 {present}명 중 {joined}명"),
    "stored_only": (
        "the service does not run: this is the last state in the store -> systemctl status ptt-dispatch",
        "서비스가 실행되고 있지 않음: 저장소에 남은 마지막 상태 -> systemctl status ptt-dispatch",
    ),
    # clean
    "clean_none": (
        "service {replica}: {offices} office(s) swept, nothing to clean",
        "서비스 {replica}: 사무소 {offices}곳 정리, 치울 것 없음",
    ),
    "clean_some": (
        "service {replica}: {offices} office(s) swept, {count} removed:",
        "서비스 {replica}: 사무소 {offices}곳 정리, {count}건 제거:",
    ),
    "clean_refused": ("service {replica}: NOT SWEPT: {why}", "서비스 {replica}: 정리하지 못함: {why}"),
    "clean_not_served": ("  not served, not swept: {offices}", "  서비스하지 않아 정리하지 않음: {offices}"),
    "stale_floor": ("a floor that nobody renewed", "갱신되지 않은 발언권"),
    "stale_session": ("a session that should have ended", "끝났어야 할 세션"),
    "stale_participant": ("a member without a sign of life", "응답이 끊긴 구성원"),
    "clean_service": (
        "no service runs that could be asked -> systemctl status ptt-dispatch",
        "요청할 서비스가 실행되고 있지 않음 -> systemctl status ptt-dispatch",
    ),
    # backup
    "backed_up": (
        "{path}: {size} MB, store {store}, {users} users, registry {rev}",
        "{path}: {size} MB, 저장소 {store}, 사용자 {users}명, 등록부 {rev}",
    ),
    "backup_files": ("  with it: {files}", "  함께 담음: {files}"),
    "backup_secret": (
        "  it holds hashes of secrets{more}: encrypt it, and let nobody else read it",
        "  비밀 값의 해시{more}가 들어 있음: 암호화하고 다른 사람이 읽지 못하게 하십시오",
    ),
    "backup_keys": (", keys and passwords", ", 키와 비밀번호"),
    "backup_no_keys": (
        "  not in it: configuration, certificates, keys, passwords -> --with-secrets",
        "  담지 않음: 설정, 인증서, 키, 비밀번호 -> --with-secrets",
    ),
    # restore
    "restored": (
        "{path}: restored from the backup of {made}; epoch {epoch}, above all that was known here",
        "{path}: {made}의 백업으로 복원함. 세대 {epoch}, 여기서 알려진 모든 것보다 위",
    ),
    "restored_file": ("  {what}: {path}", "  {what}: {path}"),
    "kept_old": ("  the former store: {path}", "  이전 저장소: {path}"),
    "revoked_again": (
        "  revoked since the backup, and revoked again now: {users}",
        "  백업 이후 차단되어 다시 차단함: {users}",
    ),
    "enrol_again": (
        "  enrolled since the backup, must be enrolled anew (ptt-dispatch device code): {users}",
        "  백업 이후 등록되어 다시 등록해야 함 (ptt-dispatch device code): {users}",
    ),
    "add_again": (
        "  made since the backup, not there any more: {users}",
        "  백업 이후 만들어져 이제 없음: {users}",
    ),
    "no_old": (
        "  NO FORMER STORE to compare with: whoever was revoked after {made} is let in again -> revoke them again",
        "  비교할 이전 저장소 없음: {made} 이후 차단된 사용자가 다시 허용됨 -> 다시 차단하십시오",
    ),
    "restore_next": (
        "next: on a new machine ptt-dispatch broker-config, with mosquitto stopped; start the services; "
        "then ptt-dispatch doctor",
        "다음: 새 장비라면 mosquitto를 멈추고 ptt-dispatch broker-config; 서비스를 시작한 뒤 ptt-dispatch doctor",
    ),
}


def say(key: str, lang: str, **fields: object) -> str:
    """Give the sentence in `lang` (another language than ko means English), filled in."""
    return _TEXT[key][lang == "ko"].format(**fields)

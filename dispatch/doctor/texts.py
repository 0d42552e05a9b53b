"""What the doctor says to people, in English and Korean: what was found, and behind an arrow what to do."""

_HEADINGS = {
    "configuration": ("configuration", "설정"),
    "service": ("service", "서비스"),
    "registry": ("registry", "등록부"),
    "broker": ("broker", "브로커"),
    "rest": ("REST", "REST"),
    "web": ("dashboard", "대시보드"),
    "console": ("consoles", "콘솔"),
    "alerts": ("alerts", "경보"),
    "probe": ("probe", "가용성 시험"),
    "logins": ("logins", "로그인"),
    "store": ("store", "저장소"),
    "disk": ("disk", "디스크"),
    "clock": ("clock", "시계"),
    "certificates": ("certificates", "인증서"),
    "secrets": ("secrets", "비밀 값"),
    "tokens": ("tokens", "토큰"),
}
_LEVELS = {"ok": ("ok", "정상"), "warn": ("WARN", "주의"), "bad": ("BAD", "이상")}

_TEXT: dict[str, tuple[str, str]] = {
    "sum": ("{ok} good, {warn} to watch, {bad} bad", "정상 {ok}, 주의 {warn}, 이상 {bad}"),
    "said": ("{why}", "{why}"),
    "config": ("{path} is good (version {version})", "{path} 정상 (버전 {version})"),
    # service
    "not_running": (
        "no service runs -> systemctl status ptt-dispatch; journalctl -u ptt-dispatch -n 50",
        "실행 중인 서비스 없음 -> systemctl status ptt-dispatch; journalctl -u ptt-dispatch -n 50",
    ),
    "stuck": (
        "does not answer ({why}) -> use sudo; if that does not help, systemctl restart ptt-dispatch",
        "응답 없음 ({why}) -> sudo로 다시 실행하고, 그래도 안 되면 systemctl restart ptt-dispatch",
    ),
    "version": (
        "{replica} runs version {running}, installed is {installed} -> systemctl restart ptt-dispatch",
        "{replica}은(는) 버전 {running}, 설치된 버전은 {installed} -> systemctl restart ptt-dispatch",
    ),
    "serves": (
        "{replica} serves {offices} office(s), for {up} (version {version}, pid {pid})",
        "{replica}: 사무소 {offices}곳 서비스 중, {up}째 (버전 {version}, pid {pid})",
    ),
    "no_broker": (
        "{replica} is not connected to {broker}: {why} -> see the broker's rows",
        "{replica}: {broker}에 연결되지 않음: {why} -> 브로커 항목 참조",
    ),
    "no_store": ("{replica} gives nobody the floor: {why}", "{replica}: 아무도 발언할 수 없음: {why}"),
    "refused": (
        "{office} is refused: {why}",
        "{office} 거부됨: {why}",
    ),
    "cleaned": (
        "{office}: the sweep had to remove {count} things since the start -> ptt-dispatch events --type CLEANED; "
        "two servers without a common store?",
        "{office}: 시작 이후 정리 작업이 {count}건을 제거함 -> ptt-dispatch events --type CLEANED; "
        "저장소를 공유하지 않는 서버가 둘인지 확인",
    ),
    "dropped": (
        "{replica} dropped messages: {counts} -> journalctl -u ptt-dispatch says of whom",
        "{replica}: 버린 메시지: {counts} -> journalctl -u ptt-dispatch에서 보낸 쪽 확인",
    ),
    # registry
    "registry": (
        "{admitted} admitted, {revoked} revoked (rev {rev})",
        "허용 {admitted}명, 차단 {revoked}명 (rev {rev})",
    ),
    "registry_error": ("cannot be read, its last state holds: {why}", "읽을 수 없어 마지막 상태 유지: {why}"),
    "clones": (
        "two units with one identity: {users} -> find the copy; enrol the true unit anew, or ptt-dispatch device cured",
        "한 신원의 장치가 둘: {users} -> 복제본을 찾고 정상 장치를 다시 등록하거나 ptt-dispatch device cured",
    ),
    # broker
    "broker": (
        "{broker}: reached as {login}, {ms} ms there and back",
        "{broker}: {login}(으)로 접속, 왕복 {ms} ms",
    ),
    "broker_slow": (
        "{broker}: {ms} ms there and back -> set_tcp_nodelay true in mosquitto's configuration; is the machine busy?",
        "{broker}: 왕복 {ms} ms -> mosquitto 설정의 set_tcp_nodelay true와 장비 부하 확인",
    ),
    "broker_away": (
        "{broker} is not reached: {why} -> systemctl status mosquitto; [broker] host and port",
        "{broker}에 연결할 수 없음: {why} -> systemctl status mosquitto; [broker] host, port 확인",
    ),
    "broker_refused": (
        "{broker} refuses {login}: {why} -> is ptt.mqtt-password the one that init made? "
        "else stop mosquitto, ptt-dispatch broker-config",
        "{broker}이(가) {login}을(를) 거부: {why} -> ptt.mqtt-password가 init이 만든 것인지 확인. "
        "아니면 mosquitto를 멈추고 ptt-dispatch broker-config 후 시작",
    ),
    "broker_rights": (
        "{broker} lets {login} in, but not at its topics: {why} -> stop mosquitto, ptt-dispatch broker-config, start",
        "{broker}: {login} 접속은 되나 권한 없음: {why} -> mosquitto를 멈추고 ptt-dispatch broker-config 후 시작",
    ),
    "broker_silent": (
        "{at} shows no certificate: {why} -> systemctl status mosquitto",
        "{at}에서 인증서를 받지 못함: {why} -> systemctl status mosquitto",
    ),
    "broker_older": (
        "{at} shows another certificate than the file -> systemctl reload mosquitto (after cert renew)",
        "{at}의 인증서가 파일과 다름 -> (cert renew 후) systemctl reload mosquitto",
    ),
    "rest_silent": (
        "{at} does not answer: {why} -> systemctl status ptt-dispatch-rest (no enrolment, no tokens)",
        "{at} 응답 없음: {why} -> systemctl status ptt-dispatch-rest (등록과 토큰 발급 불가)",
    ),
    "rest_older": (
        "{at} shows another certificate than the file -> systemctl restart ptt-dispatch-rest",
        "{at}의 인증서가 파일과 다름 -> systemctl restart ptt-dispatch-rest",
    ),
    # consoles
    "browsers": ("browsers get in at {at}, {ms} ms", "{at}에서 브라우저 접속 가능, {ms} ms"),
    "browsers_silent": (
        "{at} does not answer ({why}): no console -> stop mosquitto, ptt-dispatch broker-config, start mosquitto; "
        "or websocket_port = 0 in [web], if there is to be none",
        "{at} 응답 없음 ({why}), 콘솔 사용 불가 -> mosquitto 중지, ptt-dispatch broker-config, mosquitto 시작. "
        "콘솔이 필요 없으면 [web] websocket_port = 0",
    ),
    "browsers_other": (
        "{at} takes no browser in ({said}) -> ss -ltnp says whose port it is; websocket_port in [web], broker-config",
        "{at}이(가) 브라우저를 받지 않음 ({said}) -> ss -ltnp로 확인, [web] websocket_port, broker-config",
    ),
    "browsers_older": (
        "{at} shows another certificate than the file -> systemctl reload mosquitto (after cert renew)",
        "{at}의 인증서가 파일과 다름 -> (cert renew 후) systemctl reload mosquitto",
    ),
    # dashboard, alerts, probe
    "web_silent": (
        "{at} does not answer: {why} -> systemctl enable --now ptt-dispatch-web (the floor goes on without)",
        "{at} 응답 없음: {why} -> systemctl enable --now ptt-dispatch-web (통화는 계속됨)",
    ),
    "web_older": (
        "{at} shows another certificate than the file -> systemctl restart ptt-dispatch-web",
        "{at}의 인증서가 파일과 다름 -> systemctl restart ptt-dispatch-web",
    ),
    "web_login": ("it has its login at the broker: {login}", "브로커 로그인 있음: {login}"),
    "web_no_login": (
        "the broker has no login {login}, or has it shut: pages stand still -> systemctl restart ptt-dispatch-web",
        "브로커에 로그인 {login}이(가) 없거나 차단됨: 화면이 멈춤 -> systemctl restart ptt-dispatch-web",
    ),
    "alerts": ("{at} answers, and is connected to the broker", "{at} 응답, 브로커에 연결됨"),
    "alerts_silent": (
        "{at} does not answer: {why} -> systemctl enable --now ptt-dispatch-alerts (nobody is told of anything)",
        "{at} 응답 없음: {why} -> systemctl enable --now ptt-dispatch-alerts (아무 경보도 전달되지 않음)",
    ),
    "alerts_foreign": (
        "{at} is somebody else's -> another port in [metrics]; ss -ltnp says whose it is",
        "{at}은(는) 다른 프로그램의 포트 -> [metrics]에 다른 포트 지정, ss -ltnp로 확인",
    ),
    "alerts_stuck": (
        "nothing was looked at for {seconds} s -> journalctl -u ptt-dispatch-alerts; systemctl restart it",
        "{seconds}초 동안 점검하지 않음 -> journalctl -u ptt-dispatch-alerts 확인 후 재시작",
    ),
    "alerts_no_broker": (
        "not connected to the broker: alerts reach webhooks alone -> see the broker's rows",
        "브로커에 연결되지 않아 경보가 웹훅으로만 전달됨 -> 브로커 항목 참조",
    ),
    "alerts_untold": (
        "whether they run cannot be asked: [metrics] port is 0 -> systemctl status ptt-dispatch-alerts",
        "[metrics] port가 0이라 확인할 수 없음 -> systemctl status ptt-dispatch-alerts",
    ),
    "probe": (
        "the last test press, {seconds} s ago, was granted in {ms} ms",
        "마지막 시험 누름({seconds}초 전)이 {ms} ms에 허가됨",
    ),
    "probe_begins": ("the first test press comes within {every} s", "{every}초 안에 첫 시험 누름"),
    "probe_none": (
        "there is none, availability is not measured -> ptt-dispatch probe; systemctl restart ptt-dispatch-alerts",
        "없어서 가용성을 측정하지 않음 -> ptt-dispatch probe; systemctl restart ptt-dispatch-alerts",
    ),
    "probe_no_login": (
        "the broker has no login {login}, or has it shut -> ptt-dispatch probe; systemctl restart ptt-dispatch-alerts",
        "브로커에 로그인 {login}이(가) 없거나 차단됨 -> ptt-dispatch probe; systemctl restart ptt-dispatch-alerts",
    ),
    "probe_failing": (
        "the last {count} test press(es) were not answered -> journalctl -u ptt-dispatch-alerts says why",
        "최근 시험 누름 {count}회에 응답 없음 -> journalctl -u ptt-dispatch-alerts에서 이유 확인",
    ),
    "probe_stands": (
        "no test press for {seconds} s -> systemctl restart ptt-dispatch-alerts",
        "{seconds}초 동안 시험 누름 없음 -> systemctl restart ptt-dispatch-alerts",
    ),
    "shows": ("{at} shows the server's certificate", "{at}: 서버 인증서 확인됨"),
    # logins
    "strangers_out": ("who names no user is not let in", "사용자 이름 없는 접속은 거부됨"),
    "strangers_in": (
        "{broker} LETS IN WHO NAMES NO USER -> take allow_anonymous true out of mosquitto's configuration",
        "{broker}이(가) 사용자 이름 없는 접속을 허용 -> mosquitto 설정에서 allow_anonymous true 제거",
    ),
    "open": (
        '{broker} lets everybody in, as admission = "open" has it -> on a private network only',
        '{broker}은(는) 모두를 허용 (admission = "open") -> 사설망에서만 사용',
    ),
    "users": ("the broker knows {count} logins, {shut} of them shut", "브로커 로그인 {count}개, 그중 차단 {shut}개"),
    "broker_fault": (
        "the broker's users are not kept, a revoked user may stay connected: {why}",
        "브로커 사용자가 관리되지 않아 차단된 사용자가 남아 있을 수 있음: {why}",
    ),
    "missing": (
        "the broker lacks {logins} -> user rotate or device code for each; all of them: ptt-dispatch broker-config",
        "브로커에 없음: {logins} -> 각각 user rotate 또는 device code; 모두라면 ptt-dispatch broker-config",
    ),
    "unknown": (
        "of nobody in the registry, and shut: {logins} -> somebody made them at the broker by hand; user add",
        "등록부에 없어 차단함: {logins} -> 브로커에서 직접 만든 사용자, user add 사용",
    ),
    # store
    "store": ("{where}, id {store}, {offices} office(s)", "{where}, id {store}, 사무소 {offices}곳"),
    "store_size": ("{size} MB, log {log} MB", "{size} MB, 로그 {log} MB"),
    "store_log": (
        "{size} MB, its log {log} MB -> something has been reading it for long: end it (fuser office.db)",
        "{size} MB, 로그 {log} MB -> 오래 읽고 있는 프로그램 종료 (fuser office.db)",
    ),
    "store_mode": (
        "others may read or write {path} ({mode}) -> chmod 600",
        "다른 사용자가 {path}에 접근 가능 ({mode}) -> chmod 600",
    ),
    "writable": ("can be written", "쓰기 가능"),
    "sound": ("every page is sound ({seconds} s)", "모든 페이지 정상 ({seconds}초)"),
    "check_part": (
        "sound as far as {seconds} s of looking went; all of it: sqlite3 office.db 'PRAGMA quick_check'",
        "{seconds}초 동안 확인한 부분은 정상; 전체: sqlite3 office.db 'PRAGMA quick_check'",
    ),
    "damaged": (
        "{path} is DAMAGED: {why} -> stop the services, ptt-dispatch restore FILE; the disk may be dying",
        "{path} 손상: {why} -> 서비스를 멈추고 ptt-dispatch restore FILE; 디스크 고장 의심",
    ),
    "unpublished": (
        "{office}: {count} events wait for the broker -> is it connected, does it take them?",
        "{office}: 이벤트 {count}건 미발행 -> 브로커 연결 확인",
    ),
    # disk
    "disk": ("{free} MB free at {folder}", "{folder}: 여유 {free} MB"),
    "disk_full": (
        "{free} MB free at {folder} -> free some; journalctl --vacuum-size=200M; old backups",
        "{folder}: 여유 {free} MB -> 공간 확보; journalctl --vacuum-size=200M; 오래된 백업 삭제",
    ),
    "disk_readonly": (
        "{folder} is mounted read-only -> dmesg; the disk may be dying: back up, replace it",
        "{folder}이(가) 읽기 전용으로 마운트됨 -> dmesg; 디스크 고장 의심, 백업 후 교체",
    ),
    # clock
    "clock": ("{now} {zone}, kept by the network to {error} ms", "{now} {zone}, 네트워크 동기화 오차 {error} ms 이내"),
    "clock_alone": (
        "{now} {zone}, kept by nobody -> timedatectl set-ntp true (in a container: on its host)",
        "{now} {zone}, 동기화되지 않음 -> timedatectl set-ntp true (컨테이너라면 호스트에서)",
    ),
    "clock_loose": (
        "{now} {zone}, may be wrong by {error} s -> timedatectl timesync-status",
        "{now} {zone}, 오차 최대 {error}초 -> timedatectl timesync-status",
    ),
    "clock_unknown": (
        "{now} {zone}; this machine does not tell whether it is kept -> timedatectl",
        "{now} {zone}; 동기화 여부를 알 수 없음 -> timedatectl",
    ),
    "clock_past": (
        "{now} {zone} is in the past -> timedatectl set-ntp true; certificates are not valid yet by this clock",
        "{now} {zone}은(는) 과거 -> timedatectl set-ntp true; 이 시계로는 인증서가 아직 유효하지 않음",
    ),
    # certificates
    "lasts": ("{path} lasts {days} days, until {until}", "{path}: {days}일 남음, {until}까지"),
    "server_ends": (
        "{path} ends in {days} days, on {until} -> ptt-dispatch cert renew",
        "{path}: {days}일 뒤({until}) 만료 -> ptt-dispatch cert renew",
    ),
    "server_ended": (
        "{path} ended on {until}: no vehicle connects -> ptt-dispatch cert renew",
        "{path}: {until}에 만료되어 차량이 접속할 수 없음 -> ptt-dispatch cert renew",
    ),
    "ca_ends": (
        "the authority {path} ends in {days} days, on {until} -> plan a new office: every unit is enrolled anew",
        "인증 기관 {path}: {days}일 뒤({until}) 만료 -> 새 사무소 준비, 모든 장치 재등록",
    ),
    "ca_ended": (
        "the authority {path} ended on {until} -> a new one (ptt-dispatch init), every unit enrolled anew",
        "인증 기관 {path}: {until}에 만료 -> 새로 만들고(ptt-dispatch init) 모든 장치 재등록",
    ),
    "not_yet": (
        "{path} is not valid yet by this clock -> set the clock",
        "{path}: 이 시계로는 아직 유효하지 않음 -> 시계를 맞추십시오",
    ),
    "foreign": (
        "{server} was not signed by {ca} -> restore both from one backup, or ptt-dispatch cert renew",
        "{server}은(는) {ca}이(가) 서명하지 않음 -> 같은 백업에서 복원하거나 ptt-dispatch cert renew",
    ),
    "other_host": (
        "the certificate is for {names}, vehicles come to {host} -> ptt-dispatch cert renew --host {host}",
        "인증서는 {names}용, 차량은 {host}(으)로 접속 -> ptt-dispatch cert renew --host {host}",
    ),
    # secrets
    "secrets": ("{count} secret file(s) found", "비밀 값 파일 {count}개 확인"),
    "secret_mode": (
        "others may read {path} ({mode}) -> chmod 600; then give out a new one",
        "다른 사용자가 {path}을(를) 읽을 수 있음 ({mode}) -> chmod 600 후 새 값으로 교체",
    ),
    "no_password": (
        "there is no password of {login} -> ptt.mqtt-password in the folder of secrets; use sudo",
        "{login}의 비밀번호 없음 -> 비밀 값 폴더의 ptt.mqtt-password; sudo 사용",
    ),
    # tokens
    "no_agora": ("Agora is not used", "Agora를 사용하지 않음"),
    "tokens": ("made in {ms} ms, good for {ttl} s", "{ms} ms에 생성, {ttl}초 유효"),
    "no_certificate": (
        "there is no app certificate: nobody gets a token -> ptt.agora-certificate in the folder of secrets",
        "앱 인증서가 없어 토큰을 발급할 수 없음 -> 비밀 값 폴더의 ptt.agora-certificate",
    ),
    "bad_certificate": (
        "no token can be made: {why} -> copy the primary certificate of Agora's console",
        "토큰을 만들 수 없음: {why} -> Agora 콘솔의 기본 인증서를 복사하십시오",
    ),
    "no_kicking": (
        "made in {ms} ms; a revoked user's token works for up to {ttl} s -> [agora.kicking]",
        "{ms} ms에 생성; 차단된 사용자의 토큰이 최대 {ttl}초 유효 -> [agora.kicking]",
    ),
    "kicks": (
        "{count} users are still to be put out of Agora's channel: {why}",
        "Agora 채널에서 내보낼 사용자 {count}명 남음: {why}",
    ),
}


def heading(check: str, lang: str) -> str:
    """Give what a check is called."""
    return _HEADINGS[check][lang == "ko"]


def level_word(level: str, lang: str) -> str:
    """Give a level as a row begins with it."""
    return _LEVELS[level][lang == "ko"]


def sentence(key: str, lang: str, **fields: object) -> str:
    """Give a sentence, filled in; `lang` other than ko means English."""
    return _TEXT[key][lang == "ko"].format(**fields)

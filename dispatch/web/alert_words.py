"""Alerts in Korean: what is wrong and how to mend it, by the alert's id.

A vehicle and the office's services tell both in English, with details. The page says it in the reader's language and
keeps what was told beside it; English needs no other words than those told, so its half is empty.
"""

from typing import Final

_KOREAN: Final[dict[str, tuple[str, str]]] = {
    # --- of a vehicle (gateway.core.alerts)
    "voice-worker": (
        "음성 프로세스가 동작하지 않습니다",
        "자동으로 다시 시작됩니다. 계속되면 ptt-gateway 로그에서 원인을 확인하세요",
    ),
    "microphone": ("마이크가 없습니다", "마이크를 다시 꽂거나 [audio] capture_device를 확인하세요"),
    "speaker": ("스피커가 없습니다", "스피커를 다시 꽂거나 [audio] playback_device를 확인하세요"),
    "voice-link": (
        "제어는 연결되었지만 음성 연결이 끊겼습니다",
        "브로커가 이 차량의 두 번째 연결을 받는지 확인하세요 (연결 한도, 권한)",
    ),
    "state-dir": (
        "상태 폴더가 손상되었거나, 가득 찼거나, 쓸 수 없습니다",
        "메모리 카드와 남은 공간을 확인하세요. 로그에 파일 이름이 있습니다",
    ),
    "outputs-persist": (
        "프로그램이 강제 종료되면 출력이 그대로 남습니다",
        "/boot/firmware/config.txt에 dtparam=strict_gpiod를 넣고 다시 시작하세요",
    ),
    "panel": (
        "운전자 패널의 핀 하나가 동작하지 않습니다",
        "그 부분만 멈추고 통화는 됩니다. 배선을 확인한 뒤 ptt-gateway를 다시 시작하세요",
    ),
    "stuck-button": (
        "PTT 버튼이 눌린 채로 있습니다",
        "버튼과 배선을 확인하세요. 버튼이 떨어지면 다시 송신할 수 있습니다",
    ),
    "emergency": (
        "운전자가 비상 버튼을 눌렀습니다",
        "운전자와 통화하고 도움을 보낸 뒤, 무전 콘솔에서 비상을 해제하세요",
    ),
    "stuck-emergency": (
        "비상 버튼이 눌린 채로 있습니다",
        "버튼과 배선을 확인하세요. 버튼이 떨어지면 다시 쓸 수 있습니다",
    ),
    "phone-stuck": (
        "전화 입력이 너무 오래 켜져 있습니다",
        "접점과 배선을 확인하세요. 꺼진 것이 확인되면 다시 반영됩니다",
    ),
    "navigation-stuck": (
        "내비게이션 입력이 너무 오래 켜져 있습니다",
        "접점과 배선을 확인하세요. 꺼진 것이 확인되면 다시 반영됩니다",
    ),
    "agora": ("Agora 음성이 되지 않습니다", "그동안 음성은 브로커로 갑니다. ptt-gateway doctor agora로 확인하세요"),
    "agora-token": (
        "사무소에서 Agora 토큰을 받지 못합니다",
        "사무소의 ptt-dispatch rest와 네트워크를 확인하세요",
    ),
    "noise-suppression": (
        "잡음 제거가 설정되었지만 동작하지 않습니다",
        "음성은 그대로 나갑니다. webrtc-noise-gain을 설치하거나 기능을 끄세요",
    ),
    "transmitter-muted": (
        "사무소가 이 단말기의 송신을 차단했습니다",
        "듣기는 됩니다. 고친 뒤 이 차량의 페이지에서 차단을 해제하세요",
    ),
    "overheating": ("프로세서가 80도를 넘어 느려집니다", "햇빛과 히터를 피해 설치하고 온도를 지켜보세요"),
    "undervoltage": ("전원이 약합니다", "변환기, 케이블, 플러그를 확인하세요 (보드에서 5.1 V, 3 A)"),
    "disk-full": ("저장 공간이 거의 없습니다", "필요 없는 파일을 지우세요. 남은 공간이 50 MB보다 적습니다"),
    "shutdown": (
        "종료를 요청했지만 아직 켜져 있습니다",
        "ptt-shutdown.path를 켜거나 [ignition] shutdown_after_s = 0으로 하세요",
    ),
    "speech": (
        "음성 안내가 나오지 않습니다",
        "신호음, 표시등, 진동은 됩니다. espeak-ng를 설치하거나 로그를 확인하세요",
    ),
    "voice-flood": (
        "발언권 없이 음성을 보내는 단말기가 있습니다",
        "그 음성은 재생되지 않습니다. 계속되면 그 단말기를 찾아 차단하세요",
    ),
    "clone": (
        "같은 ID의 다른 단말기가 접속하려 했습니다",
        "그 단말기를 찾으세요. 맞는 단말기를 새로 등록하거나 ptt-dispatch device cured를 쓰세요",
    ),
    # --- of the office (dispatch.core)
    "not-served": ("사무소 서비스가 멈췄습니다", "사무소에서 ptt-dispatch doctor를 실행하세요"),
    "unanswered": ("시험 누름에 응답이 없습니다", "ptt-dispatch doctor를 실행하고 서비스와 브로커의 로그를 확인하세요"),
    "vehicle-silent": ("오랫동안 연결이 끊긴 차량이 있습니다", "차량의 전원, 네트워크, SIM을 확인하세요"),
    "error-rate": ("실패한 버튼 누름이 너무 많습니다", "운영 문서의 High error rate를 따르세요"),
    "cleaner-active": (
        "정리 작업이 남아 있던 것을 지웠습니다",
        "ptt-dispatch events --type CLEANED와 ptt-dispatch doctor로 확인하세요",
    ),
    "latency": ("응답이 목표보다 느립니다", "회선, 브로커, 사무소의 디스크를 확인하세요 (운영 문서의 Slow)"),
    "audio-unhealthy": ("음성이나 소리 장치가 고장 난 차량이 있습니다", "그 차량의 경보에 조치 방법이 있습니다"),
    "foreign-store": (
        "다른 저장소가 연 세션이 브로커에 있습니다",
        "저장소 경로를 확인하세요 (운영 문서의 Moving or restoring the store)",
    ),
    "store-unavailable": (
        "저장소를 쓸 수 없어 발언권이 나가지 않습니다",
        "디스크와 데이터베이스를 확인하세요. ptt-dispatch doctor가 원인을 알려 줍니다",
    ),
}

ALERT_TEXT: Final[dict[str, tuple[str, str]]] = {
    key: ("", korean)
    for alert, (what, mend) in _KOREAN.items()
    for key, korean in ((f"alert_what_{alert}", what), (f"alert_mend_{alert}", mend))
}
"""(English, Korean) under `alert_what_<id>` and `alert_mend_<id>`."""

"""What the console says of Agora, in English and Korean: a part of `dispatch.web.words`."""

from __future__ import annotations

AGORA_TEXT: dict[str, tuple[str, str]] = {
    "agora_not_staged": (
        "This office's voice is Agora, and Agora's Web SDK is not staged here: calls go over MQTT voice until it is "
        "(ptt-dispatch web stage-agora-sdk).",
        "이 사무소의 음성은 Agora이지만 Agora Web SDK가 설치되지 않았습니다. 설치할 때까지 통화는 "
        "MQTT 음성으로 이루어집니다 (ptt-dispatch web stage-agora-sdk).",
    ),
    "agora_not_configured": (
        "Tokens for Agora cannot be made here: calls go over MQTT voice. The dashboard needs [agora] app_id and the "
        "secret agora-certificate.",
        "여기서는 Agora 토큰을 만들 수 없어 통화는 MQTT 음성으로 이루어집니다. 대시보드에 [agora] app_id와 비밀 "
        "agora-certificate가 필요합니다.",
    ),
    "agora_not_used": (
        "This office's voice goes over MQTT: it needs no token.",
        "이 사무소의 음성은 MQTT를 사용하므로 토큰이 필요하지 않습니다.",
    ),
    "agora_too_many": (
        "Too many tokens were asked for. Try again in {seconds} s.",
        "토큰 요청이 너무 많습니다. {seconds}초 뒤에 다시 시도하세요.",
    ),
}

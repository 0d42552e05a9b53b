"""What enrolment says to people, in Korean and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.enrol import Why
from protocol.rest import Enrolment


class Said(NamedTuple):
    """One sentence in both languages; braces are filled in."""

    ko: str
    en: str

    def in_(self, lang: str) -> str:
        """Give it in `ko` or `en`."""
        return self.ko if lang == "ko" else self.en


_NEW_CODE_KO = "사무실에서 `ptt-dispatch device code`로 새 코드를 받으세요."
_NEW_CODE_EN = "Have the office make a new one: `ptt-dispatch device code`."

WHY: Final[Mapping[Why, Said]] = {
    Why.BAD_CODE: Said(
        "코드가 올바르지 않습니다. 다섯 글자씩 여덟 묶음을 다시 확인하세요.",
        "This is no enrolment code. Compare its eight groups of five one by one.",
    ),
    Why.BAD_URL: Said(
        "주소가 올바르지 않습니다. https://로 시작하는 사무실 주소를 쓰세요.",
        "This is no address of an office. Give it as https://host:port.",
    ),
    Why.CONFIG: Said(
        "설정 파일이 먼저 정리되어야 합니다. 코드는 아직 쓸 수 있습니다.",
        "The configuration must be mended first. The code is still good.",
    ),
    Why.DISK: Said(
        "등록 정보를 저장할 수 없습니다. 디스크와 권한을 확인하세요.",
        "The enrolment cannot be kept here. Check the disk and run it as root.",
    ),
    Why.OFFLINE: Said(
        "사무실에 연결할 수 없습니다. 네트워크를 확인하세요. 코드는 아직 쓸 수 있습니다.",
        "The office cannot be reached. Check the network. The code is still good.",
    ),
    Why.CLOCK: Said(
        "이 단말기의 시계가 맞지 않는 것 같습니다. 시각을 맞춘 뒤(`timedatectl`) 다시 하세요. "
        "코드는 아직 쓸 수 있습니다.",
        "The office's certificate is not valid at this unit's time. A Pi has no clock of its own: wait until it is set "
        "over the network, or set it (`timedatectl`), then try again. The code is still good.",
    ),
    Why.WRONG_NAME: Said(
        "사무실 인증서의 이름과 주소가 다릅니다. 사무실이 알려 준 주소를 그대로 쓰세요. 코드는 아직 쓸 수 있습니다.",
        "The office answers to another host name. Use the address exactly as the office gave it. "
        "The code is still good.",
    ),
    Why.WRONG_OFFICE: Said(
        "이 주소는 이 코드를 만든 사무실이 아닙니다. 코드는 보내지 않았습니다.",
        "This address is not the office that made the code. The code was not sent.",
    ),
    Why.NO_OFFICE: Said(
        "이 주소에서는 PTT 사무실 서비스가 응답하지 않습니다. 주소와 포트를 확인하세요.",
        "What answers at this address is no PTT office. Check host and port.",
    ),
    Why.UNKNOWN_CODE: Said(
        f"사무실이 모르는 코드입니다. {_NEW_CODE_KO}", f"The office knows no such code. {_NEW_CODE_EN}"
    ),
    Why.USED_CODE: Said(f"이미 사용된 코드입니다. {_NEW_CODE_KO}", f"This code was used already. {_NEW_CODE_EN}"),
    Why.EXPIRED_CODE: Said(
        f"코드의 유효 기간(24시간)이 지났습니다. {_NEW_CODE_KO}", f"This code has expired (24 h). {_NEW_CODE_EN}"
    ),
    Why.WITHDRAWN_CODE: Said(
        f"더 새로운 코드가 있습니다. 그 코드를 쓰거나, {_NEW_CODE_KO}",
        f"A newer code replaced this one. {_NEW_CODE_EN}",
    ),
    Why.REVOKED: Said(
        "이 사용자는 사무실에서 정지되었습니다. 사무실에 문의하세요.",
        "The office has shut this user out. Have it restored there, then use a new code.",
    ),
    Why.TOO_MANY: Said(
        "잘못된 코드가 너무 많이 시도되었습니다. 잠시 후 다시 하세요.",
        "Too many wrong codes were tried. Wait some minutes, then try again.",
    ),
    Why.LATER: Said(
        "사무실이 지금은 등록할 수 없습니다. 잠시 후 다시 하세요. 코드는 아직 쓸 수 있습니다.",
        "The office cannot enrol right now. Try again in a minute. The code is still good.",
    ),
    Why.LOST: Said(
        "사무실의 답을 받지 못했습니다. 다시 하세요. 이미 사용되었다고 나오면 새 코드가 필요합니다.",
        "The office's answer did not arrive. Try again; if the code is then used, have the office make a new one.",
    ),
    Why.ROLE: Said(f"이 코드는 차량용이 아닙니다. {_NEW_CODE_KO}", f"This code is for no vehicle. {_NEW_CODE_EN}"),
    Why.REFUSED: Said("사무실이 거절했습니다.", "The office refused."),
}
IS_NOW = Said(
    "이 단말기는 이제 {user} ({name}), 사무실 {office}입니다. 음성: {voice}, 등록 번호 {generation}.",
    "This unit is now {user} ({name}) of {office}. Voice over {voice}, enrolment no. {generation}.",
)
WAS = Said("이전에는 {user} ({office})였습니다.", "It was {user} of {office} before.")
RESTART = Said("적용하려면: systemctl restart ptt-gateway", "To take effect: systemctl restart ptt-gateway")
ASK_CODE = Said("등록 코드: ", "Enrolment code: ")
FILE_EMPTY = Said(
    "파일에 두 줄이 있어야 합니다: 첫 줄은 주소, 둘째 줄은 코드.",
    "The file must have two lines: the office's address, then the code.",
)
AGAIN = Said("다음에 켜면 다시 시도합니다.", "It is tried again when the unit is switched on next.")
NEW_FILE = Said(
    "새 코드를 {name}에 적으세요 (첫 줄 주소, 둘째 줄 코드).",
    "Write a new code into {name} (first line the address, second the code).",
)


def is_now(enrolment: Enrolment, lang: str) -> str:
    """Say what a unit is, by its enrolment."""
    return IS_NOW.in_(lang).format(
        user=enrolment.user,
        name=enrolment.name,
        office=f"{enrolment.region}/{enrolment.office}",
        voice=enrolment.voice.value,
        generation=enrolment.generation,
    )

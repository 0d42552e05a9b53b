"""The office's REST interface as the voice worker calls it: TLS against its own authority, bounded answers."""

from __future__ import annotations

from typing import Final

import msgspec
import requests

from protocol.burst_file import BURST_FILE_BYTES_MAX, MEDIA_TYPE, BadBurstFile, BurstFile, pack, unpack
from protocol.rest import BURST_PATH, BURSTS_PATH, KeptBurst, KeptBursts, Problem
from protocol.worker_settings import RestAccess

CONNECT_S, READ_S = 5.0, 15.0
LIST_BYTES_MAX: Final = 64 << 10
WHY_CHARS_MAX: Final = 200


class AskFailed(Exception):
    """No usable answer; `code` is the office's own reason, empty where it gave none. `again`: a later try may do."""

    def __init__(self, why: str, code: str = "", retry_after_s: float = 0.0, *, again: bool = True) -> None:
        super().__init__(why)
        self.code = code
        self.retry_after_s = retry_after_s
        self.again = again


class BurstRest:
    """A session with the office, for one thread. No proxy, netrc or redirect: a secret goes to the office alone."""

    def __init__(self, access: RestAccess, secret: str) -> None:
        self._base = access.url.rstrip("/")
        self._hardware = {"hardware": access.hardware}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = (access.login, secret)
        self._ca = access.ca

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def upload(self, file: BurstFile) -> None:
        """Give the office what was said in one's own burst; once more is harmless. Raises AskFailed."""
        self._ask("POST", BURST_PATH.format(burst=file.burst), LIST_BYTES_MAX, body=pack(file))

    def listed(self, after: int) -> tuple[KeptBurst, ...]:
        """Give what others said after this burst, oldest first. Raises AskFailed."""
        data = self._ask("GET", BURSTS_PATH, LIST_BYTES_MAX, after=str(after))
        try:
            return msgspec.json.decode(data, type=KeptBursts).bursts
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise AskFailed("the office's list cannot be read") from None

    def fetch(self, burst: int) -> BurstFile:
        """Give what was said in a burst. Raises AskFailed."""
        data = self._ask("GET", BURST_PATH.format(burst=burst), BURST_FILE_BYTES_MAX)
        try:
            file = unpack(data)
        except BadBurstFile as error:
            raise AskFailed(f"the office's file cannot be read: {error}", again=False) from None
        if file.burst != burst:
            raise AskFailed("the office gave another burst", again=False)
        return file

    def _ask(self, method: str, path: str, bytes_max: int, body: bytes | None = None, **query: str) -> bytes:
        try:
            with self._session.request(
                method,
                self._base + path,
                params=query | self._hardware,
                data=body,
                headers={} if body is None else {"Content-Type": MEDIA_TYPE},
                timeout=(CONNECT_S, READ_S),
                verify=self._ca,
                allow_redirects=False,
                stream=True,
            ) as answer:
                data = b""
                for piece in answer.iter_content(16384):
                    data += piece
                    if len(data) > bytes_max:
                        raise AskFailed(f"the office answered more than {bytes_max} bytes", again=False)
                if answer.status_code not in (200, 201):
                    raise _refusal(answer, data)
                return data
        except (requests.RequestException, OSError, ValueError) as error:
            # Its text may hold what was sent nowhere else; only what kind it was goes on.
            raise AskFailed(f"the office cannot be reached: {type(error).__name__}") from None


def _refusal(answer: requests.Response, data: bytes) -> AskFailed:
    retry = answer.headers.get("Retry-After", "")
    retry_after_s = float(retry) if retry.isdigit() and len(retry) < 5 else 0.0
    again = answer.status_code >= 500 or answer.status_code in (408, 425, 429)
    try:
        problem = msgspec.json.decode(data, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return AskFailed(f"the office answered {answer.status_code}", "", retry_after_s, again=again)
    said = "".join(letter if letter.isprintable() else " " for letter in problem.title[:WHY_CHARS_MAX])
    return AskFailed(said, problem.code, retry_after_s, again=again or problem.code == "not_spoken")

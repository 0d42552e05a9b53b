"""The SDK's service: one a process, made for an app id at the first join. In the SDK's own thread only."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from protocol.worker_settings import AgoraSettings
from service.logs import Log
from voice.transports.agora.package import Package

LOG_FILE_KB = 1024
_LOG_WARNINGS = 2
"""LOG_LEVEL_WARN of Agora's public headers."""
AREAS = {
    "global": "AREA_CODE_GLOB",
    "asia": "AREA_CODE_AS",
    "japan": "AREA_CODE_JP",
    "europe": "AREA_CODE_EU",
    "north-america": "AREA_CODE_NA",
}

log = Log(__name__)


class NotMade(Exception):
    """The SDK's service cannot be had, so that nothing can be done with the SDK; says how to mend it."""


class RtcService:
    """Makes the service when it is first needed, and anew for another app id."""

    def __init__(self, package: Package, settings: AgoraSettings) -> None:
        self._package = package
        self._settings = settings
        self._service: Any = None
        self._app_id = ""

    def of(self, app_id: str) -> Any:
        """Give the package's AgoraService for `app_id`, started; raises NotMade. No connection may be open."""
        if self._service is not None and self._app_id == app_id:
            return self._service
        self.release()
        config = self._config(app_id)
        try:
            service = self._package.agora_service.AgoraService()
            code = service.initialize(config) if service.service_handle else 0
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise NotMade(f"Agora's SDK cannot be started ({what}) -> docs/agora.md") from error
        # What `initialize` answers is the code of the last filter it enables: it may be 0 after a failure, or the
        # other way round. `inited` is what tells.
        if not service.inited or service.media_node_factory is None:
            raise NotMade(f"Agora's SDK does not start -> check the app id, see {config.log_path}; docs/agora.md")
        if code != 0:
            log.warning("a filter of Agora's SDK could not be enabled", code=code)
        self._service, self._app_id = service, app_id
        return service

    def release(self) -> None:
        """Give the service back; failures are logged."""
        if self._service is not None:
            service, self._service = self._service, None
            try:
                service.release()
            except Exception as error:  # noqa: BLE001 - foreign code, at the end of its use: told in the log
                log.warning("releasing Agora's SDK failed", error=f"{type(error).__name__}: {error}")

    def _config(self, app_id: str) -> Any:
        base = self._package.agora_base
        folder = _own_folder(self._settings.log_dir)
        return base.AgoraServiceConfig(
            appid=app_id,
            area_code=base.AreaCode[AREAS[self._settings.area]].value,
            channel_profile=base.ChannelProfileType.CHANNEL_PROFILE_LIVE_BROADCASTING,
            # The default is understood by special peers only; this is what the package itself falls back to.
            audio_scenario=base.AudioScenarioType.AUDIO_SCENARIO_GAME_STREAMING,
            enable_audio_processor=1,
            enable_audio_device=0,
            enable_video=0,
            use_string_uid=0,
            should_callbck_when_muted=0,
            enable_apm=False,
            log_path=str(folder / "agorasdk.log"),
            log_file_size_kb=LOG_FILE_KB,
            log_level=_LOG_WARNINGS,
            data_dir=str(folder),
            config_dir=str(folder),
        )


def _own_folder(wanted: str) -> Path:
    """`wanted`, else $STATE_DIRECTORY/agora, else one below the folder for temporary files; ours alone."""
    state = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    spare = f"{tempfile.gettempdir()}/ptt-agora-{os.geteuid()}"
    folder = Path(wanted or (f"{state}/agora" if state else spare))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise NotMade(f"{folder} cannot be made ({error.strerror}) -> set [agora] log_dir") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise NotMade(f"{folder} is not this service's own folder -> remove it, or set [agora] log_dir")
    return folder

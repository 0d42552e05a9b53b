"""Agora's Python package, imported from its staged folder with its manners mended.

Importing it switches certificate checks of the whole process off, ends the process where a library does not load,
writes to stdout and logs at ERROR that nothing is wrong; later it logs tokens at DEBUG. All of that is undone here.
Nothing else in this product imports `agora`. No folder is put on sys.path, so that no other package named agora, and
none of the modules lying around in the SDK's folder, can be meant.
"""

import ctypes
import importlib
import importlib.util
import logging
import ssl
import sys
from contextlib import redirect_stdout
from io import StringIO
from types import ModuleType

from msgspec import Struct

from service.logs import Log
from voice.transports.agora.staging import NotStaged, Staged

NAME = "agora"
MODULES = (
    "agora_base",
    "agora_service",
    "audio_frame_observer",
    "local_user_observer",
    "rtc_connection",
    "rtc_connection_observer",
)
"""The modules of `agora.rtc` that the adapter uses."""

log = Log(__name__)


class Package(Struct, frozen=True):
    """The modules of `agora.rtc` in use."""

    agora_base: ModuleType
    agora_service: ModuleType
    audio_frame_observer: ModuleType
    local_user_observer: ModuleType
    rtc_connection: ModuleType
    rtc_connection_observer: ModuleType


def load(staged: Staged) -> Package:
    """Load the libraries and import the package; raises NotStaged where that fails. Once a process, takes a second."""
    context = ssl._create_default_https_context
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    quiet = _quiet_logger()
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            for library in staged.preload:
                ctypes.CDLL(str(library))
            _import_root(staged)
            modules = {name: importlib.import_module(f"{NAME}.rtc.{name}") for name in MODULES}
    except (Exception, SystemExit) as error:
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]
        raise NotStaged(
            f"Agora's SDK in {staged.sdk_dir} cannot be loaded ({type(error).__name__}: {error})",
            "; ".join(staged.warnings) or "see docs/agora.md, `ptt-gateway doctor agora`",
        ) from error
    finally:
        # Its assignment would leave every HTTPS connection of this process without a check of the certificate.
        ssl._create_default_https_context = context
        sys.dont_write_bytecode = bytecode
        if printed.getvalue():
            log.info("the SDK wrote to stdout while it was imported", detail=printed.getvalue())
    quiet.importing = False
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == NAME:
            module.__dict__["print"] = _printed
    return Package(**modules)


def _import_root(staged: Staged) -> None:
    if NAME in sys.modules:
        if sys.modules[NAME].__file__ == str(staged.package):
            return
        raise ImportError(f"another package named {NAME} is loaded: {sys.modules[NAME].__file__}")
    spec = importlib.util.spec_from_file_location(
        NAME, staged.package, submodule_search_locations=[str(staged.package.parent)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{staged.package} is no Python package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)


def _printed(*values: object, **_kwargs: object) -> None:
    """Stand in for `print` in the package's own modules: what it prints is no output of this process."""
    log.debug("the SDK prints", detail=" ".join(map(str, values)))


class _Relay(logging.Handler):
    """The package's own log lines, as lines of ours. Those of its import are no errors, whatever it calls them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.importing = True

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a warning or error on."""
        write = log.debug if self.importing else log.warning
        write("the SDK's Python part says", detail=record.getMessage(), logger=record.name)


def _quiet_logger() -> _Relay:
    logger = logging.getLogger(NAME)
    for old in [handler for handler in logger.handlers if isinstance(handler, _Relay)]:
        logger.removeHandler(old)
    relay = _Relay()
    logger.addHandler(relay)
    logger.propagate = False
    logger.setLevel(logging.WARNING)  # never lower: at DEBUG the package writes tokens
    return relay

"""Which version of the program this is."""

from importlib import metadata

UNKNOWN = "unknown"


def version() -> str:
    """Give the installed version; `unknown` where it runs from a folder that was never installed."""
    try:
        return metadata.version("ptt-gateway")
    except metadata.PackageNotFoundError:
        return UNKNOWN

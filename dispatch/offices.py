"""Whether an office that somebody names is one: a misspelt one must not be told as an office where nothing happened."""

import sys

from dispatch.history.office_log import OfficeLog
from dispatch.report.words import say
from dispatch.settings import DispatchSettings
from dispatch.store.reader import StoreReader
from protocol.ids import OfficeId


def misspelt(office: OfficeId | None, settings: DispatchSettings, reader: StoreReader, lang: str) -> bool:
    """Say so on stderr where an office is named that configuration, store and registry do not know.

    None, which is every office, is never misspelt. Raises StoreUnavailable.
    """
    if office is None or office in {mine.id for mine in settings.office}:
        return False
    if office in reader.offices(probe=True) or office in OfficeLog(reader).offices():
        return False
    print(f"ptt-dispatch: {say('no_office', lang, office=office)}", file=sys.stderr)
    return True

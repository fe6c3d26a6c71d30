"""Time zones: the one of this machine, where the settings name none."""

from __future__ import annotations

import warnings
from zoneinfo import ZoneInfo

from bot.errors import SettingsError


def default_zone(setting: str) -> str:
    """Return the name of the time zone of those who name none; opens a file.

    Args:
        setting: LOCUS_TIME_ZONE, or "" for the machine's, and UTC where that has no name.

    Raises:
        SettingsError: If the setting is no time zone.
    """
    if not setting:
        return _of_this_machine()
    try:
        ZoneInfo(setting)
    except (KeyError, ValueError, OSError) as error:
        raise SettingsError(
            f"LOCUS_TIME_ZONE is {setting!r}, which is no time zone: use a name of the tz database, such as "
            "America/Chicago."
        ) from error
    return setting


def _of_this_machine() -> str:
    from tzlocal import get_localzone_name

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a machine without a zone, such as a container, has UTC
            name = get_localzone_name()
        ZoneInfo(name or "UTC")
    except (LookupError, ValueError, OSError):
        return "UTC"
    return name or "UTC"

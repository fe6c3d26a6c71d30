"""The step of the lab: its time zone, and whom others may write to about its requests."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from bot.cli.setup_work import Work
from bot.errors import InvalidRequestError
from bot.settings import Settings


def set_up_place(work: Work) -> None:
    """Ask for time zone and contact, and write them."""
    settings = work.settings()
    zone = work.asker.until(lambda: _zone(work, settings))
    contact = work.asker.text(
        "Contact that GeneNetwork and other sites are told, such as a mail address (- for none)", settings.contact
    )
    work.keep({"LOCUS_TIME_ZONE": zone, "LOCUS_CONTACT": None if contact == "-" else contact})


def _zone(work: Work, settings: Settings) -> str:
    """Return a time zone.

    Raises:
        InvalidRequestError: If there is none of that name.
    """
    zone = work.asker.text("Time zone of the lab, in which digests of new datasets come", _default(settings))
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidRequestError(
            f"{zone[:60]!r} is no time zone: use a name of the tz database, such as America/Chicago."
        ) from error
    return zone


def _default(settings: Settings) -> str:
    if settings.time_zone:
        return settings.time_zone
    try:
        from bot.scheduling.zones import default_zone
    except ImportError:
        return "UTC"  # the extra `run` brings what asks the machine
    return default_zone("")

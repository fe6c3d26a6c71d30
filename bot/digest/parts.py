"""What the digest is made of, from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.digest.charting import BarCharting, Charting
from bot.digest.datasets import DatasetCatalogue
from bot.digest.declared import load_declared
from bot.digest.describing import Describer, ModelDescriber, QuotingDescriber
from bot.digest.folders import DatasetFolders
from bot.digest.subscriptions import Subscription
from bot.digest_settings import DigestSettings
from bot.pictures.drawing import Drawing
from bot.ports import LanguageModel
from bot.scheduling.zones import default_zone


@dataclass(frozen=True, slots=True)
class DigestParts:
    """What the digest is made of that other folders bring.

    Attributes:
        catalogue: GeneNetwork.
        charting: Draws the chart.
        zone: Time zone of channels that name none.
        look_h: Hours from one look at GeneNetwork to the next.
        describer: Says what a dataset is.
        declared: Subscriptions of the operator's file; None where there is no such file.
        folders: A second witness of what is new; None for none.
    """

    catalogue: DatasetCatalogue
    charting: Charting
    zone: str = "UTC"
    look_h: float = 24.0
    describer: Describer = field(default_factory=QuotingDescriber)
    declared: Sequence[Subscription] | None = None
    folders: DatasetFolders | None = None


async def make_digest_parts(
    settings: DigestSettings,
    catalogue: DatasetCatalogue,
    drawing: Drawing,
    model: LanguageModel | None = None,
    folders: DatasetFolders | None = None,
    *,
    declared: bool = True,
) -> DigestParts:
    """Assemble them.

    Args:
        settings: Zone, file of declared digests, how often GeneNetwork is looked at, the model's time.
        catalogue: GeneNetwork.
        drawing: Where the process draws pictures; closed by whoever made it.
        model: Says what a dataset is; None quotes.
        folders: A second witness of what is new; None for none.
        declared: Whether the operator's file is read.

    Raises:
        SettingsError: If the time zone or the file of digests is wrong.
    """
    zone = await asyncio.to_thread(default_zone, settings.time_zone)
    subscriptions = None
    if declared and settings.digest_file is not None:
        subscriptions = await asyncio.to_thread(load_declared, settings.digest_file.expanduser(), zone)
    describer: Describer = QuotingDescriber()
    if model is not None and settings.digest_model_s:
        describer = ModelDescriber(model, budget_s=settings.digest_model_s)
    return DigestParts(catalogue, BarCharting(drawing), zone, settings.digest_look_h, describer, subscriptions, folders)

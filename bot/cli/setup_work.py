"""What the steps of `locus setup` share: who is asked, where settings go, and what they are by now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.cli.env_file import EnvFile
from bot.cli.setup_asking import Asker
from bot.errors import BotError
from bot.secret_files import SUFFIX
from bot.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Work:
    """One run of the guide.

    Attributes:
        asker: Asks the person.
        file: Where settings go.
        data_dir: Of --data-dir, or None.
    """

    asker: Asker
    file: EnvFile
    data_dir: Path | None

    def settings(self, **more: object) -> Settings:
        """Return the settings as they are by now, with `more` tried on.

        Raises:
            SettingsError: If they contradict each other.
        """
        return load_settings(self.file.path, data_dir=self.data_dir, **more)

    def keep(self, values: Mapping[str, str | None]) -> None:
        """Write settings, and say so; those that would make all of them unreadable are taken back.

        Raises:
            SettingsError: If they contradict what else is set, or cannot be written.
            InvalidRequestError: If one of them cannot stand in the file.
        """
        there = self.file.values()
        # What is typed takes the place of a file that was named for it.
        values = {**values, **{name + SUFFIX: None for name in values if values[name] and there.get(name + SUFFIX)}}
        before = {name: there.get(name) for name in values}
        self.file.set(values)
        try:
            self.settings()
        except BotError:
            self.file.set(before)
            raise
        changed = [name for name, value in values.items() if (value or None) != before[name]]
        if changed:
            self.asker.say(f"  Written: {', '.join(changed)}.", "green")
        for name in values:
            if name in os.environ:
                self.asker.say(f"  {name} is set in the environment too, which wins over the file.", "yellow")

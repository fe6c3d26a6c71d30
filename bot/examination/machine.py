"""The machine: version, time zone and declared digests, GPUs."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.checks import Finding, Level
from bot.data_folder import FORM, read_form, require_known_form
from bot.digest.declared import load_declared
from bot.engine.devices import free_memory, installed_gpu_devices
from bot.errors import SettingsError, StorageError
from bot.settings import Settings

NVIDIA = Path("/proc/driver/nvidia/version")  # there is one where NVIDIA's driver is loaded
GIB = 1024**3


def examine_version() -> Finding:
    """Say which Locus runs on what."""
    return Finding(Level.OK, "version", f"Locus {version('locus-bot')}, Python {platform.python_version()}.")


def examine_folder(data_dir: Path) -> Iterator[Finding]:
    """Yield whether this version knows the form of the data folder; nothing is said of one that has none yet."""
    try:
        require_known_form(data_dir)
        found = read_form(data_dir)
    except StorageError as error:
        yield Finding.of_sentence(Level.ERROR, "data folder", str(error))
        return
    if found.locus:
        yield Finding(Level.OK, "data folder", f"Form {found.form} of {FORM}, first written by Locus {found.locus}.")


def examine_time(settings: Settings) -> Iterator[Finding]:
    """Yield the time zone, and whether the operator's digests can be read in it."""
    if find_spec("apscheduler") is None:
        return  # digests need the extra
    from bot.scheduling.zones import default_zone

    try:
        zone = default_zone(settings.time_zone)
    except SettingsError as error:
        yield Finding.of_sentence(Level.ERROR, "time zone", str(error))
        return
    now = datetime.now(ZoneInfo(zone))
    chats = settings.slack_bot_token is not None or settings.matrix_homeserver is not None
    if not settings.time_zone and zone in ("UTC", "Etc/UTC") and (chats or settings.digest_file is not None):
        yield Finding(
            Level.WARNING,
            "time zone",
            f"This machine keeps UTC ({now:%H:%M} now), so digests that name no time zone come by it.",
            "set LOCUS_TIME_ZONE, such as America/Chicago.",
        )
    else:
        yield Finding(Level.OK, "time zone", f"{zone}, where it is {now:%A %H:%M}.")
    if settings.digest_file is not None:
        try:
            declared = load_declared(settings.digest_file.expanduser(), zone)
        except SettingsError as error:
            yield Finding.of_sentence(Level.ERROR, "digests", str(error))
        else:
            yield Finding(Level.OK, "digests", f"{settings.digest_file} declares {len(declared)}.")


def examine_gpus(settings: Settings, nvidia: Path = NVIDIA) -> Iterator[Finding]:
    """Yield the GPUs that the installed llama.cpp can use, and the memory there is.

    Args:
        settings: What is wanted of them.
        nvidia: Is there where a driver of NVIDIA is loaded.
    """
    if find_spec("llama_cpp") is None:
        return
    gpus = installed_gpu_devices()
    for gpu in gpus:
        room = f"{gpu.free_bytes / GIB:.1f} of {gpu.total_bytes / GIB:.1f} GiB free"
        yield Finding(Level.OK, "gpu", f"{gpu.name}: {gpu.description}, {room}.")
    if gpus:
        return
    wanted = settings.gpu_layers not in ("auto", 0)
    if nvidia.exists():
        fix = "build it with CMAKE_ARGS=-DGGML_CUDA=on (docs/models.md, GPU)."
        yield Finding(
            Level.ERROR if wanted else Level.WARNING,
            "gpu",
            "There is an NVIDIA GPU, but the installed llama.cpp cannot use it.",
            fix,
        )
    elif wanted:
        yield Finding(
            Level.ERROR,
            "gpu",
            f"LOCUS_GPU_LAYERS is {settings.gpu_layers}, and llama.cpp sees no GPU.",
            "set it to auto or 0.",
        )
    else:
        yield Finding(
            Level.OK, "gpu", f"None: models run on the CPU, with {free_memory() / GIB:.1f} GiB of memory free."
        )

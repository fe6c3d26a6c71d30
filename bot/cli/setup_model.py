"""The step of the model: none, one that fits this machine, a file, or an address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bot.checks import Level
from bot.cli.models import pull
from bot.cli.setup_work import Work
from bot.engine.devices import free_memory, installed_gpu_devices
from bot.engine.hub import HUGGING_FACE
from bot.engine.memory import shown_size
from bot.engine.model_file import model_card
from bot.engine.recommended import RecommendedModel, recommended_models
from bot.errors import InvalidRequestError, SettingsError
from bot.examination.models import examine_remote
from bot.extras import installing
from bot.settings import Settings

GIB = 1024**3
ON_CPU_GIB = 8  # what larger models write on a CPU, people do not wait for


def set_up_model(work: Work) -> None:
    """Ask for the model and write LOCUS_MODEL or LOCUS_REMOTE_URL."""
    asker, settings = work.asker, work.settings()
    asker.say("Without a model Locus quotes the sentences that answer, which needs nothing else.")
    fitting = fitting_models()
    best = suggested_model(fitting)
    for number, model in enumerate(fitting, start=1):
        mark = " (suggested here)" if model is best else ""
        asker.say(f"  {number}  {model.name:26} {model.licence:20} {model.note}{mark}")
    if not fitting:
        asker.say("  None of the recommended ones fits the free memory of this machine.")
    asker.say("  Or the path of a .gguf file, or the address of an OpenAI-compatible API (http://HOST:PORT/v1).")
    known = str(settings.model or settings.remote_url or "none")
    asker.until(lambda: _choose(work, settings, fitting, known))


def fitting_models() -> list[RecommendedModel]:
    """Return the recommended models that fit what is free here, the largest last."""
    room = max(free_memory(), sum(gpu.free_bytes for gpu in installed_gpu_devices()))
    return [model for model in recommended_models() if model.memory_gib * GIB <= room]


def suggested_model(fitting: Sequence[RecommendedModel]) -> RecommendedModel | None:
    """Return the largest that fits a GPU, or on a machine without one the largest that answers in reasonable time."""
    room_gib = sum(gpu.free_bytes for gpu in installed_gpu_devices()) / GIB or ON_CPU_GIB
    return max(
        (model for model in fitting if model.memory_gib <= room_gib), key=lambda one: one.memory_gib, default=None
    )


def _choose(work: Work, settings: Settings, fitting: list[RecommendedModel], known: str) -> None:
    answer = work.asker.text(f"Which one ({'1 to ' + str(len(fitting)) + ', ' if fitting else ''}none)", known)
    if answer == known and known != "none":
        return
    if answer == "none":
        work.keep({"LOCUS_MODEL": None, "LOCUS_REMOTE_URL": None})
    elif answer.startswith(("http://", "https://")):
        _elsewhere(work, answer)
    elif answer.isascii() and answer.isdigit():
        if not 1 <= int(answer) <= len(fitting):
            raise InvalidRequestError(f"There is no model {answer[:20]}: choose a number of the list, or none.")
        _here(work, _pulled(work, settings, fitting[int(answer) - 1]))
    else:
        _here(work, Path(answer).expanduser().absolute())


def _here(work: Work, path: Path | None) -> None:
    """Write LOCUS_MODEL, if the file is a model; None is one that is not there yet."""
    if path is None:
        return
    card = model_card(path)
    if find_spec("llama_cpp") is None:
        raise SettingsError(f"A model needs the extra 'llama': install it with `{installing('llama')}`.")
    work.asker.say(f"  {card.name}, {card.quantization}, {shown_size(card.size_bytes)}.")
    work.keep({"LOCUS_MODEL": str(path)})


def _pulled(work: Work, settings: Settings, model: RecommendedModel) -> Path | None:
    """Return where a recommended model is, downloaded if that is wanted now."""
    path = (settings.data_dir / "models" / model.file).absolute()
    if path.is_file():
        return path
    if not work.asker.yes(
        f"Download {model.name} ({model.note.partition(';')[0]}) from Hugging Face now?", default=True
    ):
        work.asker.say(f"  `locus model pull {model.name}` does so later; then run `locus setup` again.")
        return None
    pull(settings, model.name, None, HUGGING_FACE, None)
    return path


def _elsewhere(work: Work, url: str) -> None:
    """Write LOCUS_REMOTE_URL, if something answers there."""
    finding = asyncio.run(examine_remote(work.settings(remote_url=url), url))
    work.asker.tell(finding)
    if finding.level is Level.ERROR and not work.asker.yes("Use it all the same?", default=False):
        raise InvalidRequestError("The address was not taken: type another one, or none.")
    work.keep({"LOCUS_REMOTE_URL": url})

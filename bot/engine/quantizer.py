"""llama.cpp's quantizer in a process of its own, since it aborts on what it does not like."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bot.engine.memory import shown_size
from bot.engine.model_file import ModelCard, model_card
from bot.errors import InvalidRequestError, SettingsError, StorageError, UnreadableError
from bot.extras import installing

# name -> (llama_ftype of llama.h, bits per weight of a Llama 3.1 8B: llama.cpp's tools/quantize/README.md)
TARGET_TYPES: dict[str, tuple[int, float]] = {
    "f16": (1, 16.0), "bf16": (32, 16.0), "q8_0": (7, 8.5), "q6_k": (18, 6.56), "q5_k_m": (17, 5.7),
    "q5_k_s": (16, 5.57), "q5_0": (8, 5.6), "q4_k_m": (15, 4.89), "q4_k_s": (14, 4.67), "q4_0": (2, 4.67),
    "iq4_nl": (25, 4.68), "iq4_xs": (30, 4.46), "q3_k_l": (13, 4.3), "q3_k_m": (12, 4.0), "q3_k_s": (11, 3.64),
    "q2_k": (10, 3.16),
}  # fmt: skip
_FULL = ("F32", "F16", "BF16")
_SPARE = 1.15  # small models keep more of their weights in larger types
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "TMPDIR", "SYSTEMROOT", "LANG")
_TIMEOUT_S = 6 * 3600.0


def quantize_model(card: ModelCard, target_type: str, output: Path, *, threads: int = 0, again: bool = False) -> None:
    """Write a quantized copy of a model; blocks for minutes. The file appears only when it is whole.

    Args:
        card: The model, whose hash has been checked.
        target_type: A name of TARGET_TYPES.
        output: The file to make.
        threads: CPU threads; 0 means one per core.
        again: Whether a model that is quantized already may be quantized further, which costs quality.

    Raises:
        InvalidRequestError: If the type is unknown, the file exists, or the model is quantized already.
        StorageError: If the disk is too small.
        SettingsError: If the extra `llama` is missing.
        UnreadableError: If llama.cpp gives up.
    """
    if target_type not in TARGET_TYPES:
        raise InvalidRequestError(f"{target_type} is no type of weights: take one of {', '.join(TARGET_TYPES)}.")
    if output.exists():
        raise InvalidRequestError(f"{output} exists already: delete it, or name another file with --output.")
    if card.quantization not in _FULL and not again:
        raise InvalidRequestError(
            f"{card.path} is quantized already ({card.quantization}): take the F16 file of the model, or add --again "
            "to quantize it further, which costs quality."
        )
    file_type, bits = TARGET_TYPES[target_type]
    needed = min(int(card.parameters * bits / 8 * _SPARE), max(card.size_bytes, 1) if not again else 1 << 62)
    output.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(output.parent).free
    if needed > free:
        raise StorageError(
            f"{output} needs about {shown_size(needed)} and {shown_size(free)} is free in {output.parent}: free some "
            "space or name a file on another disk with --output."
        )
    part = output.with_name(f"{output.name}.part")
    try:
        _run_child([str(card.path), str(part), str(file_type), str(threads), str(int(again))], card.path, target_type)
        model_card(part)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def _run_child(arguments: list[str], source: Path, target_type: str) -> None:
    """Run this module as a program, with no secret in its environment."""
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(  # noqa: S603 - our own module, with paths as arguments
            [sys.executable, "-P", "-m", "bot.engine.quantizer", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableError(f"{source} could not be quantized within {_TIMEOUT_S / 3600:.0f} hours.") from error
    if done.returncode == SettingsError.exit_code:
        raise SettingsError(f"Quantizing needs the extra 'llama': install it with `{installing('llama')}`.")
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        telling = [line for line in lines if any(word in line.lower() for word in ("error", "failed", "assert"))]
        reason = (telling or lines or [f"it ended with code {done.returncode}"])[-1][:300].rstrip(".")
        raise UnreadableError(f"{source} could not be quantized to {target_type}: llama.cpp says: {reason}.")


def _main(source: str, output: str, file_type: str, threads: str, again: str) -> int:
    """The child: returns the exit code."""
    try:
        import llama_cpp
    except ImportError:
        return SettingsError.exit_code
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = int(file_type)
    parameters.nthread = int(threads) or os.cpu_count() or 1
    parameters.allow_requantize = bool(int(again))
    code = int(llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(output), parameters))
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))

"""How much memory is free: main memory, within the limits of a container, and that of each GPU llama.cpp can use."""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

# enum ggml_backend_dev_type of ggml-backend.h
_GPU, _INTEGRATED_GPU = 1, 2
_UNLIMITED = 1 << 60  # cgroup v1 writes a number near 2**63 for "no limit"


@dataclass(frozen=True, slots=True)
class GpuDevice:
    """A GPU that llama.cpp can put layers on.

    Attributes:
        name: llama.cpp's name, such as "CUDA0".
        description: The maker's name of it.
        free_bytes: Memory nobody uses.
        total_bytes: All its memory.
        shares_main_memory: Whether its memory is the machine's main memory.
    """

    name: str
    description: str
    free_bytes: int
    total_bytes: int
    shares_main_memory: bool = False


def gpu_devices(llama_cpp: ModuleType) -> tuple[GpuDevice, ...]:
    """Return the GPUs in llama.cpp's order; () on a build for CPUs. Wakes the GPU's driver in this process.

    Like llama.cpp, an integrated GPU counts only where there is no other one.
    """
    library = importlib.import_module(f"{llama_cpp.__name__}._ggml").libggml
    library.ggml_backend_dev_count.restype = ctypes.c_size_t
    library.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    library.ggml_backend_dev_get.restype = ctypes.c_void_p
    library.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    library.ggml_backend_dev_type.restype = ctypes.c_int
    for text in (library.ggml_backend_dev_name, library.ggml_backend_dev_description):
        text.argtypes = [ctypes.c_void_p]
        text.restype = ctypes.c_char_p
    size = ctypes.POINTER(ctypes.c_size_t)
    library.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    library.ggml_backend_dev_memory.restype = None
    found: list[GpuDevice] = []
    for index in range(int(library.ggml_backend_dev_count())):
        device = library.ggml_backend_dev_get(index)
        kind = int(library.ggml_backend_dev_type(device))
        if kind not in (_GPU, _INTEGRATED_GPU):
            continue
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        library.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name, description = library.ggml_backend_dev_name(device), library.ggml_backend_dev_description(device)
        found.append(
            GpuDevice(
                bytes(name or b"").decode(errors="replace"),
                bytes(description or b"").decode(errors="replace"),
                free.value,
                total.value,
                kind == _INTEGRATED_GPU,
            )
        )
    return tuple(one for one in found if not one.shares_main_memory) or tuple(found)


def installed_gpu_devices() -> tuple[GpuDevice, ...]:
    """Return the GPUs of the installed llama.cpp; () without the extra `llama`."""
    try:
        import llama_cpp
    except ImportError:
        return ()
    return gpu_devices(llama_cpp)


def free_memory(root: Path = Path("/")) -> int:
    """Return the bytes of main memory this process may still take.

    The kernel's estimate (MemAvailable of /proc/meminfo), or what the limits of the process's cgroups (v1 and v2)
    leave, whichever is less. Where there is no /proc, half of all memory.

    Args:
        root: The folder that holds `proc` and `sys`.
    """
    available = _meminfo(root / "proc" / "meminfo")
    if available is None:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return max(0, min([available, *_cgroup_rooms(root)]))


def _meminfo(path: Path) -> int | None:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    values = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
    found = values.get("MemAvailable")
    return int(found[0]) * 1024 if found and found[0].isdigit() else None


def _cgroup_rooms(root: Path) -> Iterator[int]:
    """Yield what each limit above this process leaves."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            base, limit, used, reclaimable = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            limit, used, reclaimable = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        # A container may see its own group as the root, and a limit of any group above counts too.
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(inside), -1, -1):
            folder = base.joinpath(*inside[:depth])
            most, taken = _whole_number(folder / limit), _whole_number(folder / used)
            if most is not None and taken is not None and most < _UNLIMITED:
                yield most - taken + _statistic(folder / "memory.stat", reclaimable)


def _whole_number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _statistic(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)

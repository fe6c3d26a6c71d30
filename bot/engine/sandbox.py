"""What the process that reads a model file may not do: reach the network, start programs, write files, see secrets.

A model file is code by another name (CVE-2024-34359, CVE-2026-27940 and others), so the process that parses it gives up
what it does not need before it opens the file. On Linux this is a seccomp filter and, where the kernel has it,
Landlock; elsewhere only the environment is cleaned, and the doctor says so.

Sources: seccomp(2), landlock(7), capabilities(7), linux/filter.h, linux/audit.h, and the system call tables of x86_64
and aarch64.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
_KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "HIP_", "HSA_", "ROCR_", "GGML_", "OMP_", "GOMP_")

_ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS = {
    "x86_64": {
        "socket": 41, "connect": 42, "execve": 59, "execveat": 322, "ptrace": 101, "process_vm_writev": 311,
        "io_uring_setup": 425, "seccomp": 317, "arch_prctl": 158,
    },
    "aarch64": {"socket": 198, "connect": 203, "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_writev": 271,
                "io_uring_setup": 425, "seccomp": 277},
}  # fmt: skip
_AF_UNIX = 1
_ARCH_REQ_XCOMP_PERM = 0x1023
_ALLOW, _ERRNO_EPERM = 0x7FFF0000, 0x00050001
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SECCOMP_SET_MODE_FILTER, _ALL_THREADS = 1, 1  # SECCOMP_FILTER_FLAG_TSYNC
_SIGKILL = 9
_CAPABILITIES_V3 = 0x20080522  # linux/capability.h
_OPEN_FILES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH

# linux/landlock.h: write_file, remove_*, make_* (bits 1, 4 to 12) and truncate (14).
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_WRITES_V1 = 0b1_1111_1111_0010
_TRUNCATE = 1 << 14
_WRITE_FILE = 1 << 1


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables the model's process needs; no settings, tokens or proxies are among them."""
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)} | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's library would start a thread before the process is confined
    }


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def has_amx() -> bool:
    """True when the processor has matrix tiles."""
    try:
        return "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def confine(*, amx: bool = True) -> dict[str, bool]:
    """Give up network, programs and writing, for this process and for good.

    Args:
        amx: False refuses the processor's matrix tiles too, for machines on which using them kills the process.

    Returns:
        What the kernel granted: "network" and "writing" are True where they are now impossible.
    """
    if sys.platform != "linux":
        return {"network": False, "writing": False}
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    # Landlock confines the calling thread and those it starts.
    alone = len(os.listdir("/proc/self/task")) == 1
    return {"writing": _forbid_writing() and alone, "network": forbid_calls(amx=amx)}


def forbid_calls(*, amx: bool, network: bool = False, programs: bool = False) -> bool:
    """Install the seccomp filter; it is inherited by programs started later. False where there is none.

    Args:
        amx: Whether the processor's matrix tiles may be used.
        network: Whether sockets other than local ones may be made, and any be connected.
        programs: Whether programs may be started.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHES:
        return False
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    calls = _CALLS[machine]
    forbidden = [calls["ptrace"], calls["process_vm_writev"], calls["io_uring_setup"]]
    if not network:
        forbidden.append(calls["connect"])  # also to local servers, such as the one that holds the conversations
    if not programs:
        forbidden += [calls["execve"], calls["execveat"]]
    code = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, _ARCHES[machine]), (_RETURN, 0, 0, _ERRNO_EPERM), (_LOAD, 0, 0, _NR)]
    if machine == "x86_64":  # the second, 32-bit-pointer numbering of system calls
        code += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERRNO_EPERM)]
    for number in forbidden:
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO_EPERM)]
    if not network:
        code += [
            (_EQUAL, 0, 4, calls["socket"]),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_EQUAL, 1, 0, _AF_UNIX),
            (_RETURN, 0, 0, _ERRNO_EPERM),
            (_RETURN, 0, 0, _ALLOW),
        ]
    if not amx and "arch_prctl" in calls:
        code += [
            (_EQUAL, 0, 3, calls["arch_prctl"]),
            (_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_EQUAL, 0, 1, _ARCH_REQ_XCOMP_PERM),
            (_RETURN, 0, 0, _ERRNO_EPERM),
        ]
    code.append((_RETURN, 0, 0, _ALLOW))
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in code))
    head = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    filtered = libc.syscall(calls["seccomp"], _SECCOMP_SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(head))
    return bool(filtered == 0)


def _forbid_writing() -> bool:
    """Forbid writing to any file but devices, by Landlock; False where the kernel has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return False
    handled = _WRITES_V1 | (_TRUNCATE if version >= 3 else 0)
    attributes = ctypes.create_string_buffer(struct.pack("<Q", handled), 8)
    ruleset = libc.syscall(_LANDLOCK_CREATE, attributes, 8, 0)
    if ruleset < 0:
        return False
    devices = os.open("/dev", os.O_PATH | os.O_CLOEXEC)
    rule = ctypes.create_string_buffer(struct.pack("<Qi", _WRITE_FILE | (handled & _TRUNCATE), devices), 12)
    libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)
    done = libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(devices)
    os.close(ruleset)
    return bool(done)


def _drop_capabilities() -> None:
    """Keep of root's powers only that of opening files: with others it reads the secrets of other processes."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = ctypes.create_string_buffer(struct.pack("<Ii", _CAPABILITIES_V3, 0))
    words = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same of the upper half
    if libc.capget(head, words) == 0:
        libc.capset(head, (ctypes.c_uint32 * 6)(words[0] & _OPEN_FILES, words[1] & _OPEN_FILES, 0, 0, 0, 0))


def _prctl(option: int, value: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    unsigned = ctypes.c_ulong
    return int(libc.prctl(option, unsigned(value), unsigned(0), unsigned(0), unsigned(0)))

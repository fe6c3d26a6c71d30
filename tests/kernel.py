"""What the kernel under the tests can do: asked of the kernel itself, so that where it can, confining must work."""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

import pytest

needs_seccomp = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64") or not Path("/proc/sys/kernel/seccomp/actions_avail").exists(),
    reason="this kernel has no seccomp filters for this processor",
)
_LANDLOCK_VERSION = 444, None, 0, 1  # landlock_create_ruleset, asked for its version
needs_landlock = pytest.mark.skipif(
    sys.platform != "linux" or ctypes.CDLL(None, use_errno=True).syscall(*_LANDLOCK_VERSION) < 1,
    reason="this kernel has no Landlock",
)

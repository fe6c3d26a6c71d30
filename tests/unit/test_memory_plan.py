"""What a model needs in memory and where its layers go; sizes that can be computed by hand."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bot.engine.devices import GpuDevice, free_memory, gpu_devices, installed_gpu_devices
from bot.engine.memory import MemoryPlan, plan_memory, shown_size
from bot.engine.model_file import ModelCard, model_card
from bot.errors import SettingsError
from tests.gguf_models import write_random_gguf

MIB, GIB = 1024**2, 1024**3
# Eight layers of 1 GiB with eight cached heads of 128 + 128 values: 32 KiB a token in f16.
CARD = ModelCard(
    Path("m.gguf"), "m", "llama", 8192, True, 9 * GIB,
    block_count=8, embedding_length=4096, vocabulary_size=32_000, key_length=128, value_length=128,
    head_counts_kv=(8,) * 8, layer_bytes=(GIB,) * 8, embedding_bytes=GIB // 4, output_bytes=GIB // 4,
)  # fmt: skip


def gpu(free_gib: float, name: str = "CUDA0", *, shared: bool = False) -> GpuDevice:
    """A GPU with that much free memory."""
    return GpuDevice(name, "test", int(free_gib * GIB), int(free_gib * GIB), shared)


def test_weights_and_cache_add_up() -> None:
    """8.5 GiB of weights, and 8192 tokens of 8 layers x 8 heads x 256 values x 2 bytes are 256 MiB."""
    plan = plan_memory(CARD, context_cells=8192, free_ram=64 * GIB)

    assert (8.5 * GIB, 256 * MIB, 0) == (plan.weights_bytes, plan.kv_bytes, plan.gpu_layers)
    assert plan.needed_bytes == plan.pools[0].needed_bytes


def test_q8_0_takes_17_32nds_of_f16() -> None:
    """34 bytes hold 32 values instead of 64."""
    plan = plan_memory(CARD, context_cells=8192, kv_type="q8_0", free_ram=64 * GIB)

    assert 256 * MIB * 17 // 32 == plan.kv_bytes


def test_a_model_that_does_not_fit_says_the_numbers_and_the_settings() -> None:
    """Needed, free, its parts, and every way out; what it says fits does fit."""
    with pytest.raises(SettingsError) as caught:
        plan_memory(CARD, context_cells=262_144, free_ram=16 * GIB)
    sentence = str(caught.value)
    largest = re.search(r"at most ([\d,]+)", sentence)
    assert largest is not None
    cells = int(largest[1].replace(",", ""))

    assert re.search(
        r"needs 16\.9 GiB of main memory and 15\.8 GiB is free \(weights 8\.5 GiB, cache of 262,144", sentence
    )
    for name in ("LOCUS_MODEL_CACHE_TOKENS", "LOCUS_MODEL_CONTEXT", "LOCUS_MODEL_KV_TYPE", "smaller quantization"):
        assert name in sentence
    assert plan_memory(CARD, context_cells=cells, free_ram=16 * GIB).pools[0].fits
    with pytest.raises(SettingsError):
        plan_memory(CARD, context_cells=cells + 1024, free_ram=16 * GIB)


def test_a_model_larger_than_memory_names_no_context() -> None:
    """Where the weights alone are too large, no number of tokens helps."""
    with pytest.raises(SettingsError, match="take a smaller model") as caught:
        plan_memory(CARD, context_cells=8192, kv_type="q8_0", free_ram=4 * GIB)
    assert "CACHE_TOKENS" not in str(caught.value)


@pytest.mark.parametrize(("free_gib", "layers"), [(0.2, 0), (5, 4), (24, 9)])
def test_auto_puts_as_many_layers_on_the_gpu_as_fit(free_gib: float, layers: int) -> None:
    """None, some, or all; one more would not have fitted."""
    plan = plan_memory(CARD, context_cells=8192, devices=(gpu(free_gib),), free_ram=64 * GIB)

    assert layers == plan.gpu_layers
    assert all(pool.fits for pool in plan.pools)
    if 0 < layers < 9:
        with pytest.raises(SettingsError, match="of CUDA0 .*set LOCUS_GPU_LAYERS to auto"):
            plan_memory(CARD, context_cells=8192, gpu_layers=layers + 1, devices=(gpu(free_gib),), free_ram=64 * GIB)


def test_what_is_not_on_the_gpu_must_fit_in_main_memory() -> None:
    """A small GPU and little main memory are refused together."""
    with pytest.raises(SettingsError, match="of main memory"):
        plan_memory(CARD, context_cells=8192, devices=(gpu(3),), free_ram=4 * GIB)


def test_several_gpus_share_by_their_free_memory() -> None:
    """Two GPUs, one of double size: about two thirds of the layers go there, and both fit."""
    plan = plan_memory(CARD, context_cells=8192, devices=(gpu(8.5), gpu(4.5, "CUDA1")), free_ram=64 * GIB)
    _, large, small = plan.pools

    assert (9, (2 / 3, 1 / 3)) == (plan.gpu_layers, plan.tensor_split)
    assert large.fits
    assert small.fits
    assert 6 == large.needed_bytes // GIB


def test_a_wanted_split_is_taken() -> None:
    """Shares in any unit; all on the second GPU leaves the first one empty."""
    plan = plan_memory(
        CARD, context_cells=8192, devices=(gpu(24), gpu(24, "CUDA1")), free_ram=64 * GIB, tensor_split=(0, 3)
    )

    assert ((0.0, 1.0), 0) == (plan.tensor_split, plan.pools[1].needed_bytes)


def test_a_split_for_another_number_of_gpus_is_refused() -> None:
    """The sentence says how many GPUs there are."""
    with pytest.raises(SettingsError, match="LOCUS_TENSOR_SPLIT gives 2 shares for 1 GPUs"):
        plan_memory(CARD, context_cells=512, devices=(gpu(24),), free_ram=64 * GIB, tensor_split=(1, 1))


def test_layers_on_a_gpu_that_is_not_there_are_refused() -> None:
    """A wish that cannot be met is not passed over."""
    with pytest.raises(SettingsError, match="LOCUS_GPU_LAYERS is 4, but llama.cpp finds no GPU"):
        plan_memory(CARD, context_cells=512, gpu_layers=4, free_ram=64 * GIB)
    assert 0 == plan_memory(CARD, context_cells=512, gpu_layers=-1, free_ram=64 * GIB).gpu_layers


def test_an_integrated_gpu_takes_main_memory() -> None:
    """What lies on it counts against main memory too."""
    with pytest.raises(SettingsError, match="of main memory"):
        plan_memory(CARD, context_cells=8192, devices=(gpu(24, shared=True),), free_ram=6 * GIB)


def test_a_tied_embedding_counts_once_on_a_cpu_and_twice_with_a_gpu() -> None:
    """llama.cpp copies it to the GPU as the output."""
    tied = ModelCard(
        Path("t.gguf"), "t", "llama", 512, False, GIB, block_count=1, layer_bytes=(0,), head_counts_kv=(0,),
        embedding_bytes=GIB, output_bytes=GIB, ties_embedding=True,
    )  # fmt: skip

    assert GIB == plan_memory(tied, context_cells=512, free_ram=8 * GIB).weights_bytes
    assert 2 * GIB == plan_memory(tied, context_cells=512, devices=(gpu(8),), free_ram=8 * GIB).weights_bytes


_MEASURE = """
import ctypes, sys, llama_cpp
lines = []
@llama_cpp.llama_log_callback
def keep(level, text, data):
    lines.append(text.decode())
llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
model = llama_cpp.llama_model_load_from_file(sys.argv[1].encode(), llama_cpp.llama_model_default_params())
parameters = llama_cpp.llama_context_default_params()
parameters.n_ctx = int(sys.argv[2])
parameters.type_k = parameters.type_v = {"f16": 1, "q8_0": 8}[sys.argv[3]]
parameters.n_ubatch = int(sys.argv[4])
parameters.flash_attn_type = int(sys.argv[5])
context = llama_cpp.llama_init_from_model(model, parameters)
print("".join(lines))
llama_cpp.llama_free(context)
llama_cpp.llama_model_free(model)
"""


@pytest.mark.parametrize(
    ("cells", "kv_type", "ubatch", "flash"),
    [(4096, "f16", 512, True), (32_768, "f16", 512, True), (8192, "q8_0", 512, True), (16_384, "f16", 128, False)],
)
def test_the_plan_agrees_with_llama_cpp(tmp_path: Path, cells: int, kv_type: str, ubatch: int, flash: bool) -> None:
    """The cache is what the real llama.cpp allocates, its compute buffer is not larger than planned nor half of it."""
    path = write_random_gguf(tmp_path / "m.gguf", width=256, context=cells)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path), str(cells), kv_type, str(ubatch), str(int(flash))],
        capture_output=True,
        text=True,
        check=True,
    )
    kv = re.search(r"KV buffer size =\s+([\d.]+) MiB", done.stdout)
    compute = re.search(r"compute buffer size =\s+([\d.]+) MiB", done.stdout)
    assert kv is not None
    assert compute is not None
    plan = plan_memory(
        model_card(path),
        context_cells=cells,
        kv_type="f16" if kv_type == "f16" else "q8_0",
        free_ram=GIB,
        flash_attention=flash,
        ubatch=ubatch,
    )

    assert float(kv[1]) == pytest.approx(plan.kv_bytes / MIB, abs=0.01)
    assert float(compute[1]) <= plan.compute_bytes / MIB < 2 * float(compute[1])


def test_the_plan_is_told_in_one_line() -> None:
    """Layers, sizes and each memory."""
    plan = plan_memory(CARD, context_cells=8192, devices=(gpu(24),), free_ram=64 * GIB)

    assert re.fullmatch(
        r"9 of 9 layers on the GPU, 9\.0 GiB \(weights 8\.5 GiB, cache of 8,192 tokens in f16 256 MiB, buffers "
        r"\d+ MiB\): main memory \d+ MiB of 63\.8 GiB free; CUDA0 8\.\d GiB of 23\.5 GiB free",
        plan.describe(),
    )


@pytest.mark.parametrize(("size", "shown"), [(0, "0 MiB"), (512 * MIB, "512 MiB"), (5 * GIB, "5.0 GiB")])
def test_sizes_are_shown_in_binary_units(size: int, shown: str) -> None:
    """MiB below one GiB, then GiB."""
    assert shown == shown_size(size)


def _machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_free_memory_is_what_the_kernel_offers(tmp_path: Path) -> None:
    """Without limits, MemAvailable counts."""
    assert 8000 * 1024 == free_memory(_machine(tmp_path, {}))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": "3000000\n",
                "sys/fs/cgroup/a/memory.current": "1000000\n",
                "sys/fs/cgroup/a/memory.stat": "anon 5\ninactive_file 500000\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/b/memory.current": "7\n",
            },
            2_500_000,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/docker/x\n4:cpu:/docker/x\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500000\n",
            },
            500_000,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1500000\n",
            },
            8000 * 1024,
        ),
    ],
    ids=["v2, a group above", "v1, the container's root", "v1, no limit"],
)
def test_limits_of_containers_count(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """The smallest of all limits above the process, less what is in use and cannot be reclaimed."""
    assert expected == free_memory(_machine(tmp_path, files))


def test_a_machine_without_proc_has_half_its_memory(tmp_path: Path) -> None:
    """Some number of bytes, not nothing."""
    assert MIB < free_memory(tmp_path)


def test_the_installed_build_tells_its_gpus() -> None:
    """The real library answers; every GPU it names has memory, and a build for CPUs has none."""
    import llama_cpp

    found = installed_gpu_devices()

    assert bool(found) <= bool(llama_cpp.llama_supports_gpu_offload())
    assert all(0 < one.total_bytes and one.name for one in found)


def _library(kinds: list[int]) -> SimpleNamespace:
    """The device functions of ggml over devices of the given types; device n has n GiB free of 2n."""

    def memory(device: int, free: object, total: object) -> None:
        ctypes.cast(free, ctypes.POINTER(ctypes.c_size_t))[0] = device * GIB  # type: ignore[arg-type]
        ctypes.cast(total, ctypes.POINTER(ctypes.c_size_t))[0] = 2 * device * GIB  # type: ignore[arg-type]

    return SimpleNamespace(
        ggml_backend_dev_count=lambda: len(kinds),
        ggml_backend_dev_get=lambda index: index + 1,
        ggml_backend_dev_type=lambda device: kinds[device - 1],
        ggml_backend_dev_name=lambda device: b"CUDA%d" % device,
        ggml_backend_dev_description=lambda device: b"GPU \xff",
        ggml_backend_dev_memory=memory,
    )


@pytest.mark.parametrize(
    ("kinds", "names"),
    [([0], []), ([1, 0, 1], ["CUDA1", "CUDA3"]), ([2, 1, 3, 0], ["CUDA2"]), ([2, 0], ["CUDA1"])],
    ids=["CPU only", "two GPUs", "integrated beside another", "integrated alone"],
)
def test_gpus_are_those_llama_cpp_would_use(
    monkeypatch: pytest.MonkeyPatch, kinds: list[int], names: list[str]
) -> None:
    """CPUs and accelerators are none; an integrated GPU counts only alone."""
    package, inner = ModuleType("made_up_llama"), ModuleType("made_up_llama._ggml")
    inner.libggml = _library(kinds)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_up_llama", package)
    monkeypatch.setitem(sys.modules, "made_up_llama._ggml", inner)
    found = gpu_devices(package)

    assert names == [one.name for one in found]
    assert all(
        (one.free_bytes, one.total_bytes) == (int(one.name[4:]) * GIB, int(one.name[4:]) * 2 * GIB) for one in found
    )


def test_without_the_extra_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing models needs no llama-cpp-python."""
    monkeypatch.setitem(sys.modules, "llama_cpp", None)

    assert () == installed_gpu_devices()


def test_a_plan_is_a_value() -> None:
    """Two plans of the same question are equal."""
    first, second = (plan_memory(CARD, context_cells=8192, free_ram=64 * GIB) for _ in range(2))

    assert isinstance(first, MemoryPlan)
    assert first == second

"""What deploy/ ships: linted by the tools of its formats, and held against the settings and the state of Locus."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from bot.settings import secret_file_names, setting_names
from bot.store.acl import COMMANDS
from tests.manifests import Object

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))
LEAST_EXPOSED = 20  # of systemd's own measure, 0 to 100: "OK" ends at 49


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool; what it says is in `stdout`."""
    return subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def extras(command: str) -> list[str]:
    """Return the extras that a `uv sync` installs."""
    return re.findall(r"--extra (\S+)", command)


# The image


def test_the_dockerfile_has_no_finding() -> None:
    """Hadolint, which reads the shell commands in it as well, complains about nothing."""
    done = run(TOOLS / "hadolint", "--no-color", DEPLOY / "Dockerfile")

    assert (0, "") == (done.returncode, done.stdout)


def test_both_steps_of_the_build_install_the_same() -> None:
    """The locked packages come first, then Locus itself, with the extras of everything that runs in the image."""
    first, second = re.findall(r"^RUN (uv sync .*)$", DOCKERFILE, re.MULTILINE)

    assert ["run", "slack", "matrix", "documents", "llama", "charts"] == extras(first)
    assert second == first.replace("--no-install-project ", "")
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras(first)) <= set(known)


def test_the_build_sees_what_it_copies_and_no_secret() -> None:
    """Everything is kept out of the build but the few things that the Dockerfile names."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]

    assert "*" == rules[0]
    assert sorted({f"!{name}/" if (ROOT / name).is_dir() else f"!{name}" for name in copied}) == sorted(
        rule for rule in rules if rule.startswith("!")
    )


def test_both_flavours_are_compiled_for_the_same_processors() -> None:
    """Not for the one that builds: the flags are named one by one, and are the same beside a GPU."""
    cpu, cuda = re.findall(r'^ARG CPU_FLAGS="(.*)"$', DOCKERFILE, re.MULTILINE)

    assert cpu == cuda
    assert "-DGGML_NATIVE=OFF" in cpu
    assert 2 == len(re.findall(r'^ENV CMAKE_ARGS="\$\{CPU_FLAGS\}', DOCKERFILE, re.MULTILINE))


def test_the_image_runs_as_nobody_in_particular() -> None:
    """The last account that is set is a number that is not root's, as Kubernetes wants to see it."""
    assert ["10001:10001"] == re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)


def test_every_setting_that_is_named_exists() -> None:
    """A misspelt variable of the environment would pass in silence."""
    assert set() == _named_settings() - setting_names() - secret_file_names()
    assert len(_named_settings()) > 10


def _named_settings() -> set[str]:
    own = {"LOCUS_IMAGE", "LOCUS_FLAVOUR", "LOCUS_MODELS", "LOCUS_MEMORY", "LOCUS_CPUS"}  # of compose.yaml itself
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix not in (".json", ".md")]
    files = [path for path in files if path.name != "slack-manifest.yaml"]
    return {name for path in files for name in re.findall(r"\bLOCUS_[A-Z0-9_]+\b", path.read_text())} - own


# Compose


def _compose() -> Object:
    loaded: Object = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


@pytest.mark.parametrize("name", ["compose.yaml", "compose.secrets.yaml"])
def test_the_compose_file_follows_its_schema(name: str) -> None:
    """The schema of the Compose specification knows every word in it."""
    done = run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / name)

    assert 0 == done.returncode, done.stdout


def test_every_secret_file_of_compose_is_a_setting() -> None:
    """Each is mounted under the name that the variable names."""
    added = yaml.safe_load((DEPLOY / "compose.secrets.yaml").read_text())
    locus = added["services"]["locus"]
    named = {path.removeprefix("/run/secrets/") for path in locus["environment"].values()}

    assert set(locus["environment"]) <= secret_file_names()
    assert named == set(locus["secrets"]) == set(added["secrets"])


@pytest.mark.parametrize("name", sorted(_compose()["services"]))
def test_each_service_may_do_little(name: str) -> None:
    """Read-only, without capabilities, not root, limited in memory and processes."""
    service = _compose()["services"][name]

    assert (True, ["ALL"], ["no-new-privileges:true"]) == (
        service["read_only"],
        service["cap_drop"],
        service["security_opt"],
    )
    assert "0" != service["user"].partition(":")[0]
    assert {"mem_limit", "pids_limit", "restart"} <= set(service)
    assert not [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")]


def test_locus_starts_after_what_it_needs() -> None:
    """Redis and Chroma answer before it starts; a model's server too, where there is one."""
    services = _compose()["services"]
    needed = services["locus"]["depends_on"]

    assert {"redis": True, "chroma": True, "llama-server": False, "vllm": False} == {
        name: one.get("required", True) for name, one in needed.items()
    }
    assert {"service_healthy"} == {one["condition"] for one in needed.values()}
    assert all("healthcheck" in services[name] for name in needed)
    assert {name for name, one in needed.items() if not one.get("required", True)} == {
        name for name, one in services.items() if one.get("profiles")
    }


def test_the_state_and_the_model_reach_nothing_outside() -> None:
    """Redis, Chroma and the model's server are in networks without a way out."""
    compose = _compose()
    closed = {name for name, one in compose["networks"].items() if one.get("internal")}

    assert {"state", "model"} == closed
    for name, service in compose["services"].items():
        assert name == "locus" or set(service["networks"]) <= closed


# Redis


def test_redis_gives_locus_the_commands_of_the_private_server() -> None:
    """Neither more nor less: the list of docs/state.md."""
    script = (DEPLOY / "redis" / "start.sh").read_text()

    assert {name.lower() for name in COMMANDS} == set(re.findall(r"\+([a-z]+)\b", script))


# systemd


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units with a program that is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path_factory.mktemp("units")
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text().replace("/opt/locus/venv/bin/locus", str(TOOLS / "locus"))
        (folder / path.name).write_text(text)
    return folder


def test_systemd_understands_its_units(units: Path) -> None:
    """No misspelt word, no unknown value."""
    done = run("systemd-analyze", "verify", *sorted(units.glob("*.service")), units / "locus-ingest.timer")

    assert (0, "") == (done.returncode, done.stdout)


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_little_exposed(units: Path, unit: str) -> None:
    """By systemd's own measure of what a service could do to the machine."""
    done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={LEAST_EXPOSED}", units / unit)

    assert 0 == done.returncode, done.stdout

"""What deploy/ ships: linted by the tools of its formats, and held against the settings and the state of Locus."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bot.settings import setting_names
from bot.store.acl import COMMANDS
from tests.manifests import Object, objects, pods, selects

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
OVERLAYS = sorted(path.name for path in (DEPLOY / "kubernetes" / "overlays").iterdir())
KUBERNETES_VERSIONS = ("1.29", "1.37")  # what is supported is between them
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
    assert set() == _named_settings() - setting_names()
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


def test_the_compose_file_follows_its_schema() -> None:
    """The schema of the Compose specification knows every word in it."""
    done = run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")

    assert 0 == done.returncode, done.stdout


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


# Kubernetes


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> list[Object]:
    """Everything that an overlay installs."""
    return objects(DEPLOY / "kubernetes" / "overlays" / str(request.param))


def test_each_object_follows_its_schema(overlay: list[Object]) -> None:
    """The API of Kubernetes knows every word, of the oldest and of the newest supported version."""
    for version in KUBERNETES_VERSIONS:
        for one in overlay:
            kubernetes_validate.validate(one, version, strict=True)


def test_names_are_used_once(overlay: list[Object]) -> None:
    """No object takes the place of another."""
    ids = [(one["kind"], one["metadata"]["name"]) for one in overlay]

    assert sorted(set(ids)) == sorted(ids)


def test_what_pods_refer_to_is_there(overlay: list[Object]) -> None:
    """ConfigMaps, disks, accounts; and of Secrets those that deploy/README.md makes."""
    there = {(one["kind"], one["metadata"]["name"]) for one in overlay}
    secrets = set(re.findall(r"create secret generic (\S+)", (DEPLOY / "README.md").read_text()))
    for pod in pods(overlay).values():
        spec = pod["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in there
        for container in spec["containers"]:
            for source in container.get("envFrom", ()):
                for kind, reference in source.items():
                    if not reference.get("optional"):
                        assert kind != "configMapRef" or ("ConfigMap", reference["name"]) in there
                        assert kind != "secretRef" or reference["name"] in secrets
            for variable in container.get("env", ()):
                if "valueFrom" in variable:
                    assert variable["valueFrom"]["secretKeyRef"]["name"] in secrets
        for volume in spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there


def test_each_pod_may_do_little(overlay: list[Object]) -> None:
    """What the profile "restricted" asks, a read-only root file system and a memory limit on top."""
    for name, pod in pods(overlay).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            } == container["securityContext"]
            assert "memory" in container["resources"]["limits"]


def test_each_service_of_locus_is_probed(overlay: list[Object]) -> None:
    """Alive by /healthz, ready by /readyz, on the port of the health page."""
    probed = {}
    for name, pod in pods(overlay).items():
        container = pod["spec"]["containers"][0]
        if pod["metadata"]["labels"].get("locus/role") in ("adapter", "worker", "scheduler"):
            probed[name] = (
                container["livenessProbe"]["httpGet"]["path"],
                container["readinessProbe"]["httpGet"]["path"],
                container["ports"][0]["containerPort"],
                container["args"],
            )

    assert {"worker", "scheduler"} < set(probed)
    for name, (alive, ready, port, arguments) in probed.items():
        role = "adapter" if name in ("slack", "matrix") else name
        assert ("/healthz", "/readyz", 8080, ["run", "--role", role]) == (alive, ready, port, arguments)


def test_selectors_select_something(overlay: list[Object]) -> None:
    """Services, budgets and rules of the network mean pods that exist."""
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay).items()}

    def meant(selector: Object) -> set[str]:
        return {name for name, own in labels.items() if selects(selector, own)}

    for one in overlay:
        spec: dict[str, Any] = one.get("spec", {})
        name = one["metadata"]["name"]
        if one["kind"] == "Service":
            assert {name} == meant({"matchLabels": spec["selector"]})
        elif one["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
            assert {name} == meant(spec["selector"])
        elif one["kind"] == "NetworkPolicy":
            assert meant(spec["podSelector"]), name


def test_only_one_pod_has_the_keys_of_matrix() -> None:
    """One device, one process: also while a new version replaces the old one."""
    found = objects(DEPLOY / "kubernetes" / "overlays" / "matrix")
    matrix = next(one for one in found if (one["kind"], one["metadata"]["name"]) == ("Deployment", "matrix"))
    disk = next(one for one in found if one["metadata"]["name"] == "locus-matrix")

    assert (1, {"type": "Recreate"}) == (matrix["spec"]["replicas"], matrix["spec"]["strategy"])
    assert ["ReadWriteOncePod"] == disk["spec"]["accessModes"]


def test_nothing_leaves_but_what_is_named(overlay: list[Object]) -> None:
    """Everything is forbidden first; outside, port 443 of public addresses may be reached, and not by the state."""
    policies = {one["metadata"]["name"]: one["spec"] for one in overlay if one["kind"] == "NetworkPolicy"}
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay).items()}
    outside = policies["outside"]

    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == policies["nothing"]
    assert [{"protocol": "TCP", "port": 443}] == outside["egress"][0]["ports"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(
        outside["egress"][0]["to"][0]["ipBlock"]["except"]
    )
    assert {"redis", "chroma", "model-server"} & {
        name for name, own in labels.items() if selects(outside["podSelector"], own)
    } == set()
    by_address = [name for name, one in policies.items() if "ipBlock" in str(one)]
    assert ["outside"] == by_address


def test_names_take_the_place_of_addresses_with_cilium(tmp_path: Path) -> None:
    """The component removes the policy of addresses and brings one of names."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    made = tmp_path / "deploy" / "kubernetes" / "overlays" / "named"
    made.mkdir()
    listing = {"resources": ["../../base"], "components": ["../../components/slack", "../../components/cilium"]}
    (made / "kustomization.yaml").write_text(yaml.safe_dump(listing))
    kinds = [one["kind"] for one in objects(made) if one["metadata"]["name"] == "outside"]

    assert ["CiliumNetworkPolicy"] == kinds


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

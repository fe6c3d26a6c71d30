"""The Kubernetes manifests of deploy/: each object by its schema, and all of them together by what they refer to."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.manifests import Object, objects, pods, selects

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = sorted(path.name for path in (DEPLOY / "kubernetes" / "overlays").iterdir())
KUBERNETES_VERSIONS = ("1.29", "1.37")  # what is supported is between them


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
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets
                assert 0 == volume["secret"]["defaultMode"] & 0o007
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

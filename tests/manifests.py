"""The Kubernetes manifests as Kustomize would put them together, in the part of its language that deploy/ uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
KNOWN = {
    *("apiVersion", "kind", "namespace", "resources", "components", "labels", "images"),
    *("configMapGenerator", "patches"),
}


def objects(folder: Path) -> list[Object]:
    """Return all objects of a folder with a kustomization; generated ones without the ending of their names.

    Raises:
        AssertionError: If a file is named that is not there, is there and not named, or uses other words.
    """
    found = list(_collect(folder))
    for patch in _patches(folder):
        target = yaml.safe_load(patch["patch"])
        assert target.get("$patch") == "delete", "only deletions are understood here"
        found = [one for one in found if _id(one) != _id(target)]
    return found


def _collect(folder: Path) -> Iterator[Object]:
    listing = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(listing) <= KNOWN, f"{folder}: {set(listing) - KNOWN}"
    used = {"kustomization.yaml"}
    for name in (*listing.get("resources", ()), *listing.get("components", ())):
        path = folder / name
        if path.is_dir():
            yield from _collect(path)
        else:
            used.add(name)
            yield from (one for one in yaml.safe_load_all(path.read_text()) if one)
    for made in listing.get("configMapGenerator", ()):
        files = made.get("files", ())
        used.update(files)
        data = dict(line.split("=", 1) for line in made.get("literals", ()))
        data |= {name: (folder / name).read_text() for name in files}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": made["name"]}, "data": data}
    there = {path.name for path in folder.iterdir() if path.is_file()}
    assert used == there, f"{folder}: named {used}, there {there}"


def _patches(folder: Path) -> Iterator[dict[str, str]]:
    listing = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in listing.get("components", ()):
        yield from _patches(folder / name)
    yield from listing.get("patches", ())


def _id(one: Object) -> tuple[str, str, str]:
    return one["apiVersion"], one["kind"], one["metadata"]["name"]


def pods(found: list[Object]) -> dict[str, Object]:
    """Return the templates of all pods: labels under "metadata", the rest under "spec"; by the owner's name."""
    templates = {}
    for one in found:
        if one["kind"] in ("Deployment", "StatefulSet"):
            templates[one["metadata"]["name"]] = one["spec"]["template"]
        elif one["kind"] == "CronJob":
            templates[one["metadata"]["name"]] = one["spec"]["jobTemplate"]["spec"]["template"]
    return templates


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector means something with these labels."""
    for name, value in selector.get("matchLabels", {}).items():
        if labels.get(name) != value:
            return False
    for rule in selector.get("matchExpressions", ()):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True

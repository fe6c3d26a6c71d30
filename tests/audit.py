"""Known vulnerabilities of the locked packages: `python -m tests.audit`, by pip-audit.

pip-audit takes a registry that knows nothing of vulnerabilities, as a mirror without PyPI's JSON interface, for one
that knows of none ("No known vulnerabilities found"). Each source is first asked for a package that is vulnerable.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.requirement_files import ROOT, find_uv

RULES = ROOT / "tests" / "audit.toml"
SOURCES = ("pypi", "osv")
KNOWN_TO_BE_VULNERABLE = "jinja2==3.1.2\n"  # CVE-2024-22195 and later ones
TIMEOUT_S = 900
EXPORT = "export --frozen --all-extras --group dev --no-emit-project --no-annotate --no-header --no-hashes --quiet"
NOT_REACHED = (
    "The locked packages were not audited: neither pypi.org's JSON interface nor api.osv.dev tells this machine about "
    "vulnerabilities; run `make audit` where one of them is reached."
)

Asker = Callable[[str, str], "list[Known] | None"]
"""Returns what a source knows about requirements, or None where it cannot be had: (source, requirements)."""


@dataclass(frozen=True, slots=True)
class Known:
    """A vulnerability of a locked package.

    Attributes:
        package: Name and version.
        names: Its ids: CVE, GHSA, PYSEC.
        fixed_in: The first version without it, or "".
    """

    package: str
    names: frozenset[str]
    fixed_in: str = ""


def audit(requirements: str, accepted: Mapping[str, str], ask: Asker) -> tuple[int, str]:
    """Return an exit code and what to print.

    Args:
        requirements: Lines of name==version.
        accepted: Vulnerabilities that do not reach Locus, by id, with the reason.
        ask: Asks one source.
    """
    for source in SOURCES:
        if not ask(source, KNOWN_TO_BE_VULNERABLE):
            continue
        known = ask(source, requirements)
        if known is None:
            continue
        wrong = [one for one in known if not one.names & accepted.keys()]
        lines = [_sentence(one) for one in wrong]
        unused = sorted(accepted.keys() - {name for one in known for name in one.names})
        lines += [
            f"{name} is accepted in tests/audit.toml, and nothing has it any more: take it out." for name in unused
        ]
        count = len(requirements.splitlines())
        return (
            (1, "\n".join(lines))
            if lines
            else (0, f"{count} locked packages have no vulnerability that {source} knows.")
        )
    return 0, NOT_REACHED


def _sentence(one: Known) -> str:
    fix = f"lock {one.fixed_in} or later" if one.fixed_in else "nothing mends it yet: see whether it reaches Locus"
    return f"{one.package} has {', '.join(sorted(one.names))}: {fix}."


def pip_audit(source: str, requirements: str) -> list[Known] | None:
    """Ask a source by pip-audit; None where it does not answer."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(requirements)
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(file), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", source]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None
    return understood(done.stdout)


def understood(printed: str) -> list[Known] | None:
    """Return what pip-audit printed as JSON; None where it printed something else."""
    try:
        found: Sequence[Mapping[str, object]] = json.loads(printed)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    known: list[Known] = []
    for package in found:
        vulnerabilities = package.get("vulns")
        for one in vulnerabilities if isinstance(vulnerabilities, list) else []:
            fixes = one.get("fix_versions") or [""]
            known.append(
                Known(f"{package['name']} {package['version']}", frozenset([one["id"], *one["aliases"]]), fixes[0])
            )
    return known


def main() -> None:
    """Audit what uv.lock locks."""
    uv = find_uv()
    if uv is None:
        raise SystemExit("uv is not installed: `make setup-dev` brings it")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [uv, *EXPORT.split()], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    code, said = audit(done.stdout, tomllib.loads(RULES.read_text())["accepted"], pip_audit)
    sys.stdout.write(f"{said}\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main()

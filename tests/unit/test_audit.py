"""What is said about vulnerable packages, and about licences."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping

import pytest

from tests import audit, licences
from tests.audit import NOT_REACHED, Asker, Known, understood
from tests.licences import Rules, is_allowed, licence_of, load_rules, packages

VULNERABLE = Known("jinja2 3.1.2", frozenset({"CVE-2024-22195", "GHSA-h5c8"}), "3.1.3")


def source(known: list[Known], *, answers: Mapping[str, bool]) -> Asker:
    """Sources of which some answer; each knows of the package that is asked first."""

    def ask(name: str, requirements: str) -> list[Known] | None:
        if not answers[name]:
            return []  # as pip-audit has it for a registry that does not know the word
        return [VULNERABLE] if requirements == audit.KNOWN_TO_BE_VULNERABLE else known

    return ask


def test_without_a_source_it_is_said_and_nothing_fails() -> None:
    """A registry that knows no vulnerabilities is not taken for one that found none."""
    assert (0, NOT_REACHED) == audit.audit("a==1\n", {}, source([], answers={"pypi": False, "osv": False}))


def test_the_second_source_is_asked_where_the_first_does_not_answer() -> None:
    """And is named."""
    code, said = audit.audit("a==1\nb==2\n", {}, source([], answers={"pypi": False, "osv": True}))

    assert (0, "2 locked packages have no vulnerability that osv knows.") == (code, said)


def test_a_vulnerable_package_fails_the_check() -> None:
    """With its ids, and what to do."""
    code, said = audit.audit(
        "a==1\n", {}, source([Known("a 1", frozenset({"CVE-1"}))], answers={"pypi": True, "osv": False})
    )

    assert (1, True, True) == (code, "a 1 has CVE-1" in said, "nothing mends it yet" in said)


def test_what_does_not_reach_locus_is_accepted_until_it_is_gone() -> None:
    """By any of its ids; a reason that nothing needs any more is to be taken out."""
    answers = {"pypi": True, "osv": False}
    accepted = {"CVE-2024-22195": "not used"}

    assert 0 == audit.audit("jinja2==3.1.2\n", accepted, source([VULNERABLE], answers=answers))[0]
    assert "take it out" in audit.audit("jinja2==3.1.3\n", accepted, source([], answers=answers))[1]


def test_each_accepted_vulnerability_has_its_reason() -> None:
    """A sentence at least."""
    accepted = tomllib.loads(audit.RULES.read_text())["accepted"]

    assert all(reason.endswith(".") and len(reason) > 40 for reason in accepted.values())


def test_what_pip_audit_prints_is_understood() -> None:
    """Skipped packages too; anything but its JSON is no answer."""
    vulnerability = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2"], "description": "x"}
    printed = {
        "dependencies": [{"name": "a", "version": "1", "vulns": [vulnerability]}, {"name": "b", "skip_reason": "x"}]
    }

    assert [Known("a 1", frozenset({"PYSEC-1", "CVE-1"}), "2")] == understood(json.dumps(printed))
    assert [None, None] == [understood(text) for text in ("Traceback", "[]")]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("GPL-3.0 OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("MIT AND (GPL-3.0 OR AGPL-3.0)", False),
        ("", False),
    ],
)
def test_every_part_of_a_licence_must_be_allowed(expression: str, allowed: bool) -> None:
    """Of those that one may choose from, one."""
    assert allowed == is_allowed(expression, load_rules())


def test_what_packages_call_their_licence_is_told_in_one_word() -> None:
    """What is read in their own files comes first; nothing at all is nothing."""
    rules = Rules(frozenset({"MIT"}), {"MIT License": "MIT"}, {"b": "ISC"})
    said = {"a": "MIT License; MIT", "b": "a whole text", "c": "UNKNOWN"}

    assert ["MIT", "ISC", "", ""] == [licence_of(package, said, rules) for package in "abcd"]


def test_packages_are_those_of_requirement_files() -> None:
    """Each once, by the name that PyPI has; comments and other systems' are left out."""
    lines = [
        "# a comment",
        "Jinja2==3 ; python_version > '3'",
        "typing_extensions==4",
        "jinja2==3",
        "x==1 ; sys_platform == 'emscripten'",
    ]

    assert ["jinja2", "typing-extensions"] == packages(lines)


def test_the_list_of_licences_is_fresh_and_all_are_allowed() -> None:
    """docs/licences.md is what `make licences` writes."""
    text, wrong = licences.page()

    assert [] == wrong
    assert text == licences.PAGE.read_text(), "run `make licences`"

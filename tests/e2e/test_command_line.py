"""The command `locus` as a person runs it: a process of its own, real index, real documents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import LAB, write_documents
from tests.gguf_models import write_random_gguf

LOCUS = Path(sys.executable).with_name("locus")


def locus(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a clean environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    return subprocess.run(
        [str(LOCUS), *arguments],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with documents `lab/` and an index of them in `data/`."""
    root = tmp_path_factory.mktemp("cli")
    write_documents(root / "lab", LAB)
    done = locus("ingest", "lab", "--data-dir", "data", cwd=root)
    assert done.returncode == 0, done.stderr
    return root


def test_version(tmp_path: Path) -> None:
    """`locus --version` prints name and version."""
    assert "locus 0.1.0\n" == locus("--version", cwd=tmp_path).stdout


def test_ask_prints_answer_and_sources(folder: Path) -> None:
    """The answer holds numbers, and each number has a source below."""
    done = locus("ask", "Which mice were crossed to make the BXD strains?", "--data-dir", "data", cwd=folder)

    assert 0 == done.returncode
    assert "crossing C57BL/6J and DBA/2J mice. [1]" in " ".join(done.stdout.split())
    assert "[1] BXD strains\n    bxd.md" in done.stdout


def test_ask_json_has_the_promised_fields(folder: Path) -> None:
    """One object on standard output, nothing else."""
    done = locus(
        "ask", "How many permutations give the significance threshold?", "--json", "--data-dir", "data", cwd=folder
    )
    answer = json.loads(done.stdout)

    fields = "question answer mode answered citations confidence timings_ms id note requests files".split()
    assert fields == list(answer)
    assert ("quotes", True) == (answer["mode"], answer["answered"])
    assert ["n", "title", "source", "url", "quote"] == list(answer["citations"][0])
    assert "mapping.md" == answer["citations"][0]["source"]
    assert 0 <= answer["confidence"] <= 1


def test_ask_uses_the_history(folder: Path, tmp_path: Path) -> None:
    """A follow-up that means nothing alone finds what the conversation was about."""
    history = tmp_path / "history.json"
    turns = [
        {"role": "user", "content": "Tell me about the HXB and BXH rat strains."},
        {"role": "assistant", "content": "They are recombinant inbred rats."},
    ]
    history.write_text(json.dumps(turns))
    done = locus(
        "search", "where were they bred?", "--history", str(history), "--json", "--data-dir", "data", cwd=folder
    )

    assert "rats.org" == json.loads(done.stdout)["passages"][0]["source"]


def test_search_json_has_the_promised_fields(folder: Path) -> None:
    """`-k` limits the passages; each has rank, source, title, heading, url and text."""
    done = locus("search", "spleen", "-k", "2", "--json", "--data-dir", "data", cwd=folder)
    passages = json.loads(done.stdout)["passages"]

    assert [1, 2] == [passage["rank"] for passage in passages]
    assert ["rank", "source", "title", "heading", "url", "text"] == list(passages[0])
    assert "general/datasets/Iop_spl_rma_0509/summary.rtf" == passages[0]["source"]


def test_an_unanswerable_question_is_refused_plainly(folder: Path) -> None:
    """The refusal is an answer: exit code 0, a sentence, the closest documents."""
    done = locus("ask", "What is the boiling point of tungsten hexafluoride?", "--data-dir", "data", cwd=folder)

    assert 0 == done.returncode
    assert done.stdout.startswith("The documents do not say.")
    assert "Closest documents" in done.stdout


def test_a_second_ingest_does_nothing(folder: Path) -> None:
    """Unchanged documents are neither embedded nor published again."""
    done = locus("ingest", "lab", "--data-dir", "data", cwd=folder)

    assert "0 documents new or changed, 5 unchanged" in done.stdout
    assert "0 chunks embedded" in done.stdout


def test_chat_answers_from_a_pipe(folder: Path) -> None:
    """`locus chat` reads questions line by line, follows up, and ends with its input."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCUS_")}
    done = subprocess.run(
        [str(LOCUS), "chat", "--data-dir", "data"],
        cwd=folder,
        env=clean,
        input="Where were the HXB rats bred?\n/quotes\n/new\n/quit\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "were bred in Prague. [1]" in " ".join(done.stdout.split())
    assert "A new conversation." in done.stdout


def test_eval_reports_figures_and_dumps_every_question(folder: Path, tmp_path: Path) -> None:
    """The figures come overall and by kind; the dump has a line for each question."""
    questions = tmp_path / "questions.jsonl"
    lines = [
        {"id": "1", "question": "who crossed what for BXD?", "gold_docs": ["bxd.md"], "key_facts": ["C57BL/6J"]},
        {"id": "2", "question": "PAM for Cas12a?", "answerable": False, "kind": "howto"},
    ]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    dump = tmp_path / "dump.jsonl"
    done = locus("eval", str(questions), "--json", "--dump", str(dump), "--data-dir", "data", cwd=folder)
    figures = json.loads(done.stdout)
    first, second = map(json.loads, dump.read_text().splitlines())

    assert 1.0 == figures["overall"]["recall_at_1"]
    assert {"howto", "lookup"} == set(figures["by_kind"])
    assert ["id", "passages", "answer", "answered", "citations", "confidence"] == list(first)
    assert ["bxd.md"] == first["passages"][0]["sources"]
    assert not second["answered"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["ask", "   "], 2, "The question is empty"),
        (["ask", "\x01\x1b[31m\x07"], 2, "The question is empty"),
        (["ask", "BXD?", "--data-dir", "nothing-here"], 4, "No documents are indexed yet: run `locus ingest starter`"),
        (["ingest", "no/such/folder"], 4, "no/such/folder"),
        (["eval", "none.jsonl"], 4, "There is no questions file none.jsonl"),
        (["ask", "BXD?", "--history", "none.json"], 4, "There is no history file none.json"),
        (["ask", "BXD?", "--history", "lab/bxd.md"], 2, "is not a JSON list of"),
        (["ingest", "https://127.0.0.1/secret"], 8, "127.0.0.1"),
        (["ingest", "https://evil.example/page"], 8, "LOCUS_FETCH_ALLOWED_HOSTS"),
    ],
)
def test_bad_input_gets_one_sentence_and_its_exit_code(
    folder: Path, arguments: list[str], code: int, sentence: str
) -> None:
    """Every mistake is named on standard error without a trace."""
    given = arguments if "--data-dir" in arguments else [*arguments, "--data-dir", "data"]
    done = locus(*given, cwd=folder)

    assert code == done.returncode, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("question", "hint"),
    [
        ("BXD strains " * 9000, "The question is very long; its first 2,000 characters were read."),
        ("Welche Medikamente senken den Blutdruck bei Ratten?", "a question in English finds more"),
        ("血圧を下げる薬は何ですか", "a question in English finds more"),
        ("BXD\x1b[2J\x07 strains\u202e?", ""),
    ],
    ids=["100,000 characters", "German", "Japanese", "control characters"],
)
def test_odd_questions_are_answered_or_refused(folder: Path, question: str, hint: str) -> None:
    """Length, language and control characters never break the command nor reach the terminal; one line says so."""
    done = locus("ask", question, "--data-dir", "data", cwd=folder)

    assert 0 == done.returncode
    assert (hint in done.stderr) if hint else (done.stderr == "")
    assert done.stderr.count("\n") <= 1
    assert "\x1b" not in done.stdout


def test_unreadable_files_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Empty, binary, truncated and oversized files are left out with a sentence each."""
    docs = write_documents(tmp_path / "docs", {"good.md": "# Good\n\nThe good page stays.\n", "empty.md": ""})
    (docs / "image.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    (docs / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    (docs / "latin.txt").write_bytes("Schätzung der Erblichkeit in Mäusen".encode("latin-1"))
    with (docs / "huge.txt").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    done = locus("ingest", "docs", "--data-dir", "data", cwd=tmp_path)

    assert 0 == done.returncode
    for name in ("image.md", "cut.pdf", "huge.txt", "empty.md"):
        assert name in done.stderr
    assert "2 documents new or changed" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_source_without_a_readable_file_fails(tmp_path: Path) -> None:
    """Exit code 5 when nothing at all could be read."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "image.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)

    assert 5 == locus("ingest", "docs", "--data-dir", "data", cwd=tmp_path).returncode


def test_a_failing_source_leaves_the_others_and_the_index_alone(folder: Path) -> None:
    """One source that cannot be reached is named; the other is synced, and old answers stay."""
    done = locus("ingest", "no/such/folder", "lab", "--data-dir", "data", cwd=folder)

    assert 4 == done.returncode
    assert "5 unchanged" in done.stdout


def test_declared_sources_are_synced_without_arguments(tmp_path: Path) -> None:
    """`locus ingest` alone brings in LOCUS_SOURCES."""
    write_documents(tmp_path / "a", {"one.md": "# One\n\nFirst page.\n"})
    write_documents(tmp_path / "b", {"two.md": "# Two\n\nSecond page.\n"})
    done = locus("ingest", "--data-dir", "data", cwd=tmp_path, LOCUS_SOURCES="a b")

    assert (0, 2) == (done.returncode, done.stdout.count("1 documents new or changed"))


def test_a_path_into_an_empty_folder_indexes_that_path_and_nothing_else(folder: Path) -> None:
    """The starter documents come only when asked for."""
    done = locus("search", "GeneNetwork", "-k", "50", "--json", "--data-dir", "data", cwd=folder)

    assert set(LAB) >= {passage["source"] for passage in json.loads(done.stdout)["passages"]}


def test_doctor_says_what_is_wrong(folder: Path) -> None:
    """A misspelt variable is a warning with the right name; a model that is none is an error and exit code 1."""
    alone = {"LOCUS_GENENETWORK": "off"}  # nothing outside this machine is asked
    wrong = {"LOCUS_MODLE": "x", "LOCUS_MODEL": str(folder / "lab" / "bxd.md")}
    fine = locus("doctor", "--json", "--data-dir", "data", cwd=folder, **alone)
    bad = locus("doctor", "--data-dir", "data", cwd=folder, **alone, **wrong)

    assert 0 == fine.returncode
    assert {"ok"} == {finding["level"] for finding in json.loads(fine.stdout)["findings"]}
    assert 1 == bad.returncode
    assert "LOCUS_MODLE is no setting of Locus. Fix: did you mean LOCUS_MODEL?" in bad.stdout


def test_a_model_answers_and_a_broken_one_is_named(folder: Path, tmp_path: Path) -> None:
    """LOCUS_MODEL switches to the model; a file cut off stops with one sentence and the settings' exit code."""
    model = write_random_gguf(tmp_path / "random.gguf")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(model.read_bytes()[:-9000])
    question = ("ask", "Which mice were crossed to make the BXD strains?", "--json", "--data-dir", "data")
    good = locus(*question, cwd=folder, LOCUS_MODEL=str(model), LOCUS_MODEL_MAX_TOKENS="60")
    bad = locus(*question, cwd=folder, LOCUS_MODEL=str(broken))

    assert (0, "", "model") == (good.returncode, good.stderr, json.loads(good.stdout)["mode"])
    assert (3, 1) == (bad.returncode, bad.stderr.count("\n"))
    assert "is cut off" in bad.stderr


def test_an_answer_is_shown_and_replayed_from_its_card(folder: Path) -> None:
    """`locus ask` prints a handle; with it the card is shown and the same text produced again."""
    question = "Which mice were crossed to make the BXD strains?"
    answer = json.loads(locus("ask", question, "--json", "--data-dir", "data", cwd=folder).stdout)
    printed = locus("ask", question, "--data-dir", "data", cwd=folder).stdout
    shown = locus("answer", "show", answer["id"], "--data-dir", "data", cwd=folder)
    card = json.loads(locus("answer", "show", answer["id"], "--json", "--data-dir", "data", cwd=folder).stdout)
    replayed = locus("answer", "replay", answer["id"], "--data-dir", "data", cwd=folder)
    unknown = locus("answer", "replay", "../../etc", "--data-dir", "data", cwd=folder)

    assert "locus answer show" in printed
    assert (0, answer["answer"]) == (shown.returncode, card["answer"]["text"])
    assert question in shown.stdout
    assert (0, True) == (replayed.returncode, "The text is identical." in replayed.stdout)
    assert (4, "") == (unknown.returncode, unknown.stdout)

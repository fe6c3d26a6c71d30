"""`locus run` with a collector of traces beside it: every stage of an answer that a model wrote, and the log."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.documents import LAB, write_documents
from tests.e2e.test_run_terminal import BRED, DEADLINE_S, LOCUS, QUESTION, enter, environment, piped, read_until
from tests.openai_server import OpenAiServer, saying
from tests.otel_collector import Collector

RETRIEVAL = ["embed", "dense", "lexical", "load", "measure", "judge"]
STAGES = ["accept", "wait", "retrieve", *RETRIEVAL, "generate", "check", "write", "finish", "request"]


def test_every_stage_of_a_written_answer_is_traced(tmp_path: Path) -> None:
    """From the line that was typed to the checked answer; what is left is delivered when it stops."""
    write_documents(tmp_path / "lab", LAB)
    ingest = [str(LOCUS), "ingest", "lab", "--data-dir", "data"]
    subprocess.run(ingest, cwd=tmp_path, env=environment(), capture_output=True, timeout=DEADLINE_S, check=True)
    with OpenAiServer() as endpoint, Collector() as collector:
        endpoint.replies = [saying(f"{BRED} [1].")]
        settings = {
            "LOCUS_REMOTE_URL": endpoint.api,
            "LOCUS_REMOTE_MODEL": "test-model",
            "LOCUS_TRACES_URL": collector.url,
            "LOCUS_LOG_LEVEL": "info",
            "LOCUS_LOG_FORMAT": "json",
        }
        with piped(tmp_path, **settings) as process:
            enter(process, QUESTION)
            told = read_until(process, BRED)
            _, errors = process.communicate("", timeout=DEADLINE_S)
        spans = collector.until(STAGES)
        sent = b"".join(collector.bodies)
    whole = next(one for one in spans if one.name == "request")
    retrieve = next(one for one in spans if one.name == "retrieve")
    generated = next(one for one in spans if one.name == "generate")
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]

    assert BRED in told
    assert {retrieve.span} == {one.parent for one in spans if one.name in RETRIEVAL}
    assert {whole.trace} == {one.trace for one in spans}
    assert {"adapter scheduler worker"} == {one.roles for one in spans}
    assert ("terminal", "answered") == (whole.facts["locus.chat"], whole.facts["locus.outcome"])
    assert {"locus.tokens_written", "locus.tokens_read", "locus.writing_s"} <= generated.facts.keys()
    assert [whole.facts["locus.request"]] * 2 == [
        line["request"] for line in lines if line["message"] in {"answered", "handled"}
    ]
    assert [] == [word for word in ("HXB", "Prague") if word.encode() in sent or word in errors]

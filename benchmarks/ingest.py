"""Ingest of a corpus against sentence-transformers on torch over the same texts."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

from benchmarks.process import LOCUS, run_process
from benchmarks.report import Report
from knowledge.catalogue import Catalogue
from knowledge.embeddings import find_weights

SAMPLE = 1200  # chunks the peer encodes; its rate does not depend on how many
PEER = """
import json, sys, time
from sentence_transformers import SentenceTransformer
texts = json.load(open(sys.argv[1]))
model = SentenceTransformer(sys.argv[2])
model.encode(texts[:32])
begin = time.perf_counter()
model.encode(texts, batch_size=32)
print(len(texts) / (time.perf_counter() - begin))
"""


def run(report: Report, corpus: Path, questions: Path, data_dir: Path, temporary: Path) -> None:
    """Print chunks per second, peak memory and the time of a second ingest."""
    first = run_process(LOCUS, "ingest", corpus, "--data-dir", data_dir)
    report.line(first.output.strip().replace(str(corpus), "corpus"))
    found = re.search(r"(\d+) chunks embedded in ([\d.]+) s", first.output)
    if found is None or found.group(1) == "0":
        report.line("ingest: the corpus was indexed already; give no --data-dir to measure.")
        return
    rate = int(found.group(1)) / float(found.group(2))
    second = run_process(LOCUS, "ingest", corpus, "--data-dir", data_dir)
    peer = _peer_rate(report, data_dir, temporary)
    report.table(
        "Ingest: reading, parsing, chunking, embedding, both indexes",
        ["", "Locus", "sentence-transformers, torch (encode only)", "ratio"],
        [
            ["chunks per second", rate, peer, rate / peer if peer else None],
            ["peak memory, MiB", first.peak_mib, None, None],
            ["second ingest, unchanged, s", second.seconds, None, None],
        ],
    )


def _peer_rate(report: Report, data_dir: Path, temporary: Path) -> float | None:
    """Chunks per second of the peer over a sample of the very texts that were embedded."""
    python = os.environ.get("LOCUS_BENCH_PEER_PYTHON")
    if not python:
        report.line(
            "The peer was skipped: set LOCUS_BENCH_PEER_PYTHON to an interpreter that has sentence-transformers "
            "(python -m venv peer && peer/bin/pip install sentence-transformers)."
        )
        return None
    texts = embedded_texts(data_dir)
    sample = random.Random(0).sample(texts, min(SAMPLE, len(texts)))
    file = temporary / "texts.json"
    file.write_text(json.dumps(sample))
    done = run_process(python, "-c", PEER, file, find_weights().parent)
    return float(done.output.split()[-1])


def embedded_texts(data_dir: Path) -> list[str]:
    """Return the texts of all chunks with title and heading before them, as they were embedded."""
    catalogue = Catalogue(data_dir / "index" / "catalogue.sqlite")
    try:
        rows = catalogue._connection().execute("SELECT title, heading, units FROM chunks").fetchall()
    finally:
        catalogue.close()
    return [
        ": ".join(part for part in (title, heading) if part) + "\n" + "\n".join(text for _, text in json.loads(units))
        for title, heading, units in rows
    ]

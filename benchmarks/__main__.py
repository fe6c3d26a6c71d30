"""`python -m benchmarks [NAME ...]`: prints the machine, then a table per benchmark."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import core, engine, fit, ingest, pictures, quality, search, slack, start
from benchmarks.process import LOCUS, run_process
from benchmarks.report import Report
from knowledge.catalogue import Catalogue

BENCHMARKS = {
    "ingest": ingest.run,
    "quality": quality.run,
    "search": search.run,
    "start": start.run,
    "fit": fit.run,
}
ENGINE = "engine"
CORE = "core"
SLACK = "slack"
PICTURES = "pictures"
WITHOUT_CORPUS = {
    ENGINE: ("llama-cpp-python",),
    CORE: ("redis", "slack-bolt"),
    SLACK: ("redis", "slack-bolt", "slack-sdk"),
    PICTURES: ("matplotlib", "numpy"),
}
DEFAULT = ("ingest", "quality", "search", "start")
NEED_INDEX = frozenset({"quality", "search", "start", "fit"})
BESIDE = Path(__file__).resolve().parents[2] / "shared"


def main() -> int:
    """Run the benchmarks named on the command line, or all that need the corpus, but `fit`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument(
        "names",
        nargs="*",
        choices=[*BENCHMARKS, *WITHOUT_CORPUS, []],
        help="which; all that need the corpus, but `fit`, by default",
    )
    parser.add_argument("--corpus", type=Path, default=Path(os.environ.get("LOCUS_BENCH_CORPUS") or BESIDE / "corpus"))
    parser.add_argument("--questions", type=Path, default=BESIDE / "eval" / "dev_qa.jsonl")
    parser.add_argument("--data-dir", type=Path, help="keep the index of the corpus here, or use the one that is")
    engine.add_options(parser)
    options = parser.parse_args()
    report = Report()
    chosen = options.names or DEFAULT
    report.line(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    names = [name for one in chosen for name in WITHOUT_CORPUS.get(one, ())]
    names = names or ["onnxruntime", "chromadb", "tantivy", "tokenizers"]
    report.line(", ".join(f"{name} {version(name)}" for name in names))
    if set(chosen) - set(WITHOUT_CORPUS) and not options.corpus.is_dir():
        report.line(f"Skipped: there is no corpus at {options.corpus}; name a copy of gn-docs with --corpus.")
        return 1
    with tempfile.TemporaryDirectory(prefix="locus-bench-") as temporary:
        data_dir = options.data_dir or Path(temporary) / "data"
        for name in chosen:
            if name == ENGINE:
                engine.run(report, options, Path(temporary))
                continue
            if name == CORE:
                core.run(report)
                continue
            if name == SLACK:
                slack.run(report)
                continue
            if name == PICTURES:
                pictures.run(report)
                continue
            if name in NEED_INDEX and not has_index(data_dir):
                done = run_process(LOCUS, "ingest", options.corpus.resolve(), "--data-dir", data_dir)
                report.line(done.output.strip().replace(str(options.corpus.resolve()), "corpus"))
            BENCHMARKS[name](report, options.corpus.resolve(), options.questions.resolve(), data_dir, Path(temporary))
    return 0


def has_index(data_dir: Path) -> bool:
    """True when the data folder holds a published index."""
    file = data_dir / "index" / "catalogue.sqlite"
    if not file.is_file():
        return False
    catalogue = Catalogue(file)
    try:
        return catalogue.has_documents()
    finally:
        catalogue.close()


def processor() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())

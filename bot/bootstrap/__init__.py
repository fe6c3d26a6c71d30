"""The composition root: settings in, working parts out. The only package that sees every folder."""

from bot.bootstrap.application import Loading, open_application
from bot.bootstrap.evaluating import EvaluationRun, Figures, open_evaluation
from bot.bootstrap.genenetwork import open_genenetwork
from bot.bootstrap.index import IndexStatus, make_embedder, make_teacher, open_index, open_teacher
from bot.bootstrap.ingesting import ingest_sources, make_dataset_folders
from bot.bootstrap.terminal import open_terminal_chat

__all__ = [
    "EvaluationRun",
    "Figures",
    "IndexStatus",
    "Loading",
    "ingest_sources",
    "make_dataset_folders",
    "make_embedder",
    "make_teacher",
    "open_application",
    "open_evaluation",
    "open_genenetwork",
    "open_index",
    "open_teacher",
    "open_terminal_chat",
]

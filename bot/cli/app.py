"""The commands of `locus` and their options; errors become one sentence and an exit code here."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from bot.errors import BotError, InvalidRequestError, StorageError
from bot.log import set_up_logging
from bot.messages import Turn
from bot.settings import Settings, load_settings

logger = logging.getLogger(__name__)

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_INTERNAL = 1

app = typer.Typer(
    name="locus",
    help="Answers questions about GeneNetwork from its documents, with a link behind every statement.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

model_app = typer.Typer(
    help="Find, download, describe and quantize models.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(model_app, name="model")
answer_app = typer.Typer(
    help="Show what an answer was made from, and make it again.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(answer_app, name="answer")

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder that holds all state (LOCUS_DATA_DIR).")]
History = Annotated[
    Path | None, typer.Option("--history", help='Earlier turns: a JSON list of {"role", "content"}.', metavar="FILE")
]
AnswerId = Annotated[str, typer.Argument(help="The handle that `locus ask` printed.", metavar="ID")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def main() -> NoReturn:
    """Run the command line; the process exits with the codes of docs/command-line.md."""
    code = EXIT_INTERNAL
    try:
        code = app(standalone_mode=False) or 0
    except BotError as error:
        _complain(str(error))
        code = error.exit_code
    except typer.Exit as error:
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("Stopped. What was already indexed is kept.")
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe, `head` say, has seen enough; a second complaint at exit would be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        if error.errno is None:
            raise
        _complain(f"{error.strerror}{f': {error.filename}' if error.filename else ''}.")
        code = StorageError.exit_code
    except Exception as error:
        click_code = getattr(error, "exit_code", None)
        if isinstance(click_code, int) and hasattr(error, "show"):
            error.show()
            code = click_code
        else:
            logger.debug("internal error", exc_info=True)
            _complain(
                f"Internal error: {type(error).__name__}: {error}. LOCUS_LOG_LEVEL=debug shows where; please report it."
            )
    sys.exit(code)


def _complain(sentence: str) -> None:
    print(f"locus: {sentence}", file=sys.stderr)  # noqa: T201 - the one place that prints errors


def _settings(data_dir: Path | None) -> Settings:
    settings = load_settings(data_dir=data_dir)
    set_up_logging(settings.log_level)
    return settings


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"locus {version('locus-bot')}")
        raise typer.Exit


@app.callback()
def root(
    _show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Answers questions about GeneNetwork from its documents, with a link behind every statement."""


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in quotes.")],
    history: History = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Answer one question."""
    from bot.cli.asking import ask_question

    asyncio.run(ask_question(_settings(data_dir), question, _turns(history), as_json=as_json))


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option("-k", "--limit", min=1, max=100, help="Number of passages.")] = 10,
    history: History = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show the passages nearest to a question."""
    from bot.cli.asking import search_passages

    asyncio.run(search_passages(_settings(data_dir), query, limit, _turns(history), as_json=as_json))


@app.command()
def chat(data_dir: DataDir = None) -> None:
    """Ask in the terminal, with follow-up questions."""
    from bot.cli.asking import chat_in_terminal

    asyncio.run(chat_in_terminal(_settings(data_dir)))


@app.command()
def ingest(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Folders, files, git repositories, web pages, sitemaps, or `starter`.", metavar="SOURCE"),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Bring documents into the index; without sources, those of LOCUS_SOURCES."""
    from bot.cli.ingesting import ingest_documents

    code = asyncio.run(ingest_documents(_settings(data_dir), sources or []))
    raise typer.Exit(code)


@app.command(name="eval")
def evaluate(
    questions: Annotated[Path, typer.Argument(help="Questions with known answers, one JSON object a line.")],
    as_json: AsJson = False,
    dump: Annotated[
        Path | None, typer.Option("--dump", help="Write one JSON line per question.", metavar="FILE")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Measure retrieval and answers on questions with known answers."""
    from bot.cli.evaluating import evaluate_questions

    asyncio.run(evaluate_questions(_settings(data_dir), questions, dump, as_json=as_json))


@app.command()
def doctor(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Check settings, index, models and servers; exits 1 when something is wrong."""
    from bot.cli.doctoring import run_doctor

    raise typer.Exit(asyncio.run(run_doctor(_settings(data_dir), as_json=as_json)))


@answer_app.command(name="show")
def answer_show(answer_id: AnswerId, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show an answer's card: passages, model, settings, calls."""
    from bot.cli.answers import show_answer

    show_answer(_settings(data_dir), answer_id, as_json=as_json)


@answer_app.command(name="replay")
def answer_replay(
    answer_id: AnswerId,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also where another model is set now.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Produce an answer's text again and say whether it is identical; exits 1 when it is not."""
    from bot.cli.answers import replay_answer

    raise typer.Exit(asyncio.run(replay_answer(_settings(data_dir), answer_id, anyway=anyway)))


@model_app.command(name="list")
def model_list(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Show recommended models by memory, and those in the data folder."""
    from bot.cli.models import list_models

    list_models(_settings(data_dir), as_json=as_json)


@model_app.command(name="pull")
def model_pull(
    name: Annotated[str, typer.Argument(help="A name of `locus model list`, or a repository of Hugging Face.")],
    file: Annotated[str | None, typer.Argument(help="A .gguf file of the repository.")] = None,
    endpoint: Annotated[
        str, typer.Option("--endpoint", help="Hugging Face, or a mirror of it.")
    ] = "https://huggingface.co",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File that holds a token, for models that need one.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Download a model into the data folder; run again, it goes on where it stopped."""
    from bot.cli.models import pull

    pull(_settings(data_dir), name, file, endpoint, token_file)


@model_app.command(name="info")
def model_info(
    path: Annotated[Path | None, typer.Argument(help="A .gguf file; without one, LOCUS_MODEL.")] = None,
    context: Annotated[
        int | None, typer.Option("--context", min=1, help="Tokens of the cache; by default LOCUS_MODEL_CONTEXT.")
    ] = None,
    kv_type: Annotated[Literal["f16", "q8_0"], typer.Option("--kv-type", help="Type of the cached values.")] = "f16",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what a model is, what memory it needs, and whether it fits."""
    from bot.cli.models import show_info

    show_info(_settings(data_dir), path, context, kv_type, as_json=as_json)


@model_app.command(name="quantize")
def model_quantize(
    source: Annotated[Path, typer.Argument(help="A .gguf file in F32, F16 or BF16.")],
    target_type: Annotated[str, typer.Argument(help="q8_0, q6_k, q5_k_m, q4_k_m, ...", metavar="TYPE")],
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to make; by default in the data folder.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Quantize a quantized model further.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a smaller copy of a model with llama.cpp's quantizer."""
    from bot.cli.models import quantize

    quantize(_settings(data_dir), source, target_type, output, again=again)


@model_app.command(name="confirm")
def model_confirm(
    path: Annotated[Path, typer.Argument(help="A .gguf file that was changed on purpose.")], data_dir: DataDir = None
) -> None:
    """Accept a model file as it is now."""
    from bot.cli.models import confirm

    confirm(_settings(data_dir), path)


def _turns(history: Path | None) -> tuple[Turn, ...]:
    if history is None:
        return ()
    from bot.history import load_history

    return load_history(history)


def dump_json(value: object) -> str:
    """Return JSON for people and programs: one line, letters of all languages as they are."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except ValueError as error:
        raise InvalidRequestError(f"The result cannot be written as JSON: {error}.") from error

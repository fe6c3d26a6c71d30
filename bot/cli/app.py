"""The commands of `locus` and their options; errors become one sentence and an exit code here."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bot.cli.answer_commands import answer_app
from bot.cli.digest_commands import digest_app
from bot.cli.feedback_commands import feedback_app
from bot.cli.file_commands import file_app
from bot.cli.inbox_commands import inbox_app
from bot.cli.matrix_commands import matrix_app
from bot.cli.model_commands import model_app
from bot.cli.options import AsJson, DataDir, History, RoleName, settings_of, turns_of
from bot.cli.person_commands import person_app
from bot.cli.scope_commands import scope_app
from bot.errors import BotError, StorageError

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

app.add_typer(model_app, name="model")
app.add_typer(answer_app, name="answer")
app.add_typer(matrix_app, name="matrix")
app.add_typer(inbox_app, name="inbox")
app.add_typer(feedback_app, name="feedback")
app.add_typer(file_app, name="files")
app.add_typer(person_app, name="person")
app.add_typer(scope_app, name="scope")
app.add_typer(digest_app, name="digest")


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
        _complain("Stopped. What was already done is kept.")
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

    asyncio.run(ask_question(settings_of(data_dir), question, turns_of(history), as_json=as_json))


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

    asyncio.run(search_passages(settings_of(data_dir), query, limit, turns_of(history), as_json=as_json))


@app.command()
def chat(data_dir: DataDir = None) -> None:
    """Ask in the terminal, with follow-up questions."""
    from bot.cli.asking import chat_in_terminal

    asyncio.run(chat_in_terminal(settings_of(data_dir)))


@app.command()
def run(
    role: Annotated[
        list[RoleName] | None,
        typer.Option("--role", help="What this process does; all of it without this option. May be given twice."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Answer in the chats that are configured, until stopped."""
    from bot.cli.running import run_service

    asyncio.run(run_service(settings_of(data_dir), role or []))


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

    code = asyncio.run(ingest_documents(settings_of(data_dir), sources or []))
    raise typer.Exit(code)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; readable by you only.", metavar="FILE")],
    data_dir: DataDir = None,
) -> None:
    """Write everything that cannot be made again into one file; Locus may run meanwhile."""
    from bot.cli.backup import make_backup

    make_backup(settings_of(data_dir), file)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="That `locus backup` has written.", metavar="FILE")],
    check: Annotated[bool, typer.Option("--check", help="Only compare it with its checksums.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Fill an empty data folder from a backup."""
    from bot.cli.backup import restore_backup

    restore_backup(settings_of(data_dir), file, check_only=check)


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

    asyncio.run(evaluate_questions(settings_of(data_dir), questions, dump, as_json=as_json))


@app.command()
def setup(data_dir: DataDir = None) -> None:
    """Set Locus up, step by step; every step can be left out, and all of it repeated."""
    from bot.cli.setup import run_setup

    raise typer.Exit(run_setup(Path(".env"), data_dir))


@app.command()
def doctor(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Check settings, index, models and servers; exits 1 when something is wrong."""
    from bot.cli.doctoring import run_doctor

    raise typer.Exit(run_doctor(data_dir, as_json=as_json))


@app.command(name="settings")
def settings_command(
    everything: Annotated[bool, typer.Option("--all", help="Those that have their defaults too.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show the settings that hold and where each comes from; secrets are not shown."""
    from bot.cli.settings_shown import show_settings

    settings = settings_of(data_dir, any_form=True)
    options = frozenset({"data_dir"} if data_dir is not None else ())
    show_settings(settings, by_option=options, everything=everything, as_json=as_json)

"""How the last sync of each source went, kept in the index's own record for whoever looks after it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bot.errors import BotError
from bot.ingestion import IngestReport
from bot.ports import SourceSync
from knowledge.catalogue import Catalogue

MAX_NOTED = 5  # problems of a sync that are kept as sentences
MAX_SENTENCE = 300
_PREFIX = "sync "


def note_sync(catalogue: Catalogue, scope: str, spec: str, outcome: IngestReport | BotError) -> None:
    """Keep how a sync went; blocking.

    Args:
        catalogue: Of the index.
        scope: Of the source's documents.
        spec: The source as the operator wrote it.
        outcome: What came of it.

    Raises:
        StorageError: If it cannot be written.
    """
    failed = str(outcome) if isinstance(outcome, BotError) else ""
    problems = [] if isinstance(outcome, BotError) else outcome.problems
    note = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "failed": failed[:MAX_SENTENCE],
        "problems": len(problems),
        "first": [problem[:MAX_SENTENCE] for problem in problems[:MAX_NOTED]],
    }
    with catalogue.transaction() as connection:
        catalogue.set_meta(connection, {f"{_PREFIX}{scope} {spec}": json.dumps(note, ensure_ascii=False)})


def source_syncs(catalogue: Catalogue) -> tuple[SourceSync, ...]:
    """Return every source with how its last sync went, inside a snapshot; also those that never came in."""
    notes = catalogue.meta_beginning(_PREFIX)
    documents = catalogue.documents_by_source()
    found: list[SourceSync] = []
    for source_id, scope, name, spec, synced_at in catalogue.sources():
        note = notes.pop(f"{_PREFIX}{scope} {spec}", "")
        found.append(_sync(note, name, scope, documents.get(source_id, 0), synced_at))
    for key, note in sorted(notes.items()):
        scope, _, spec = key.removeprefix(_PREFIX).partition(" ")
        one = _sync(note, spec, scope, 0, "")
        if one.failed:  # what is left of a source that was taken out is no concern
            found.append(one)
    return tuple(found)


def _sync(note: str, name: str, scope: str, documents: int, synced_at: str) -> SourceSync:
    try:
        known = json.loads(note) if note else {}
        return SourceSync(
            name,
            scope,
            documents,
            synced_at,
            str(known.get("at", "")),
            str(known.get("failed", "")),
            int(known.get("problems", 0)),
            tuple(str(one) for one in known.get("first", ())),
        )
    except (ValueError, TypeError, AttributeError):
        return SourceSync(name, scope, documents, synced_at)

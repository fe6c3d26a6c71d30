"""Locus's own session in a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nio.responses import JoinResponse, SyncResponse
from pydantic import SecretStr

from adapters.matrix.key_upkeep import KeyUpkeep
from adapters.matrix.options import Credentials, Options
from adapters.matrix.session import Session
from adapters.matrix.trust import Trust
from tests.matrix_server.synapse import Account


@asynccontextmanager
async def locus_session(
    url: str, account: Account, folder: Path, *, encryption: bool = True, trust: Trust | None = None
) -> AsyncIterator[Session]:
    """Yield a session of the account, logged in by password the first time."""
    options = Options(url, account.user_id, encryption=encryption, trust=trust or Trust(), request_timeout_s=20.0)
    async with Session(options, folder, Credentials(password=SecretStr(account.password))) as session:
        yield session


async def sync_once(session: Session, timeout_s: float = 0.0) -> SyncResponse:
    """Fetch what is new and keep the keys up, without the loop."""
    client = session.client
    full = None if client.next_batch else True
    answer = await client.sync(timeout=int(timeout_s * 1000), full_state=full)
    assert isinstance(answer, SyncResponse), answer
    await KeyUpkeep(client).run()
    return answer


async def join(session: Session, room_id: str) -> None:
    """Join a room and see who is in it."""
    answer = await session.client.join(room_id)
    assert isinstance(answer, JoinResponse), answer
    while room_id not in session.client.rooms:
        await sync_once(session, timeout_s=1)

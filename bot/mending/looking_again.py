"""Asks open questions again when the documents have changed, and tells the answers; one process does, whoever leads.

A question is looked at once for each signature (`Application.signature`: the index's revision and all that shapes an
answer), and never while people wait. Signature and questions are read in that order while nothing is open: what was
asked before is among the questions, and what is asked later is answered from the new documents anyway. Where the
process dies the next one begins again; finding the same twice changes nothing.

It runs where questions are answered, as the index is there; a process that only runs schedules has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from bot.application import Application
from bot.errors import BotError
from bot.mending.agreed_questions import AgreedQuestions
from bot.mending.gap_questions import GapQuestions
from bot.mending.leading import Lead
from bot.mending.offering import Offerer
from bot.store.inbox import Inbox
from bot.store.leader import Leader, LostLeadershipError

logger = logging.getLogger(__name__)

EVERY_S = 3.0


class LookingAgain:
    """Does all this, round by round.

    Args:
        application: Tells whether the documents have changed.
        gaps: Questions without a good answer.
        agreed: Those whose askers want to be told.
        offerer: Tells them.
        leader: Decides which process does.
        inbox: Tells whether people wait.
        every_s: Seconds from one round to the next.
    """

    def __init__(
        self,
        application: Application,
        gaps: GapQuestions,
        agreed: AgreedQuestions,
        offerer: Offerer,
        leader: Leader,
        inbox: Inbox,
        *,
        every_s: float = EVERY_S,
    ) -> None:
        self._application = application
        self._inbox = inbox
        self._gaps = gaps
        self._agreed = agreed
        self._offerer = offerer
        self._leader = leader
        self._every_s = every_s
        self._trouble = ""

    async def run(self) -> None:
        """Go on until cancelled; then let another process lead at once."""
        try:
            while True:
                try:
                    await self.round()
                    self._trouble = ""
                except LostLeadershipError as error:
                    self._gaps.forget()
                    logger.info("%s", error)
                except (BotError, OSError) as error:
                    if str(error) != self._trouble:
                        logger.warning("open questions are asked again later: %s", error)
                    self._trouble = str(error)
                except Exception:
                    logger.exception("asking open questions again failed and is tried again")
                await asyncio.sleep(self._every_s)
        finally:
            with contextlib.suppress(BotError):
                await self._leader.resign()

    async def round(self) -> bool:
        """Tell what is to be told, and ask some questions again, if this process leads; False when nothing is left.

        Raises:
            LostLeadershipError: If another process has taken over.
            UnavailableError: If Redis is away.
            StorageError: If the index cannot be read.
        """
        leads = await self._leader.acquire()
        fence = self._leader.fence
        if not leads or fence is None:
            self._gaps.forget()
            return False
        lead = Lead(self._leader, fence, self._inbox)
        await self._offerer.post(lead)
        signature = await self._application.signature()
        if not self._application.revision or not await lead.may_go_on():
            return True
        # Who asked to be told comes first.
        left = await self._agreed.ask(signature, lead)
        await self._offerer.post(lead)
        return await self._gaps.ask(signature, lead) or left

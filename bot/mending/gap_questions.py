"""Asks questions without a good answer again, for those who mend the documents.

What was found is kept by the request that asked (`bot.store.gap_states`). Of an answer that was judged to be bad, the
first look notes which passages there are: as long as nothing else is quoted, the documents were not mended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bot.application import Application
from bot.errors import BotError
from bot.gaps import ALL_SCOPES, OpenQuestion, open_questions
from bot.mending.leading import Lead
from bot.store.feedback import Feedback
from bot.store.gap_states import Finding, GapStates
from bot.store.gaps import Unanswered

AT_ONCE = 50  # questions in one round; the next one goes on


class GapQuestions:
    """All of them, as far as they were asked again.

    Args:
        application: Judges.
        unanswered: Questions that the documents did not answer.
        feedback: Opinions; the bad ones are questions without a good answer.
        states: What became of them.
        at_once: Questions in one round.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        application: Application,
        unanswered: Unanswered,
        feedback: Feedback,
        states: GapStates,
        *,
        at_once: int = AT_ONCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._application = application
        self._unanswered = unanswered
        self._feedback = feedback
        self._states = states
        self._at_once = at_once
        self._clock = clock
        self._signature = ""  # under which the questions that are left were read
        self._read_at = 0.0
        self._left: list[OpenQuestion] = []  # the next one last

    def forget(self) -> None:
        """Begin again the next time: another process may have led meanwhile."""
        self._signature = ""
        self._left = []

    async def ask(self, signature: str, lead: Lead) -> bool:
        """Ask some of them under a signature, read while nobody waited; False when all are done.

        Raises:
            LostLeadershipError: If another process has taken over.
            UnavailableError: If Redis is away.
        """
        if signature != self._signature and not await self._read(signature, lead):
            return False
        findings = await self._states.findings() if self._left else {}
        for _ in range(min(self._at_once, len(self._left))):
            if not await lead.may_go_on():
                return True
            await self._ask(self._left[-1], findings.get(self._left[-1].reference), lead)
            self._left.pop()
        if self._left:
            return True
        await lead.commit(self._states.looking_done(signature, self._read_at))
        self.forget()
        return False

    async def _read(self, signature: str, lead: Lead) -> bool:
        """Read what is to be asked under a signature; False where nothing is."""
        looked = await self._states.looked()
        done = looked is not None and looked.signature == signature
        # Under the same documents only a judgement is new: what they say to it is noted before they change.
        if looked is not None and done and not await self._feedback.list(vote="down", since=looked.at, limit=1):
            return False
        self._read_at = self._clock()
        found = await open_questions(self._unanswered, self._feedback, scopes=(ALL_SCOPES,))
        known = await self._states.findings()
        gone = known.keys() - {one.reference for one in found.questions}
        if gone:
            await lead.commit(*self._states.lose(gone))
        judged = {one.reference for one in found.questions if not one.unanswered}
        left = [one for one in found.questions if not done or one.reference in judged - known.keys()]
        self._left = left[::-1]
        self._signature = signature
        return True

    async def _ask(self, question: OpenQuestion, before: Finding | None, lead: Lead) -> None:
        """Ask one question again, and store what that found."""
        try:
            judged = await self._application.ask_again(question.question, scopes=question.scopes)
        except BotError as error:
            if error.retryable:
                raise
            return  # not even a question, say
        known = before.known if before is not None else None
        if not question.unanswered and known is None:
            known = judged.found
        finding = None
        if judged.better_than(known):
            answer = judged.answer
            at = before.at if before is not None and before.answered else self._clock()
            finding = Finding(question.reference, at, answer.text, answer.citations, judged.rests_on, known)
        elif known is not None:
            finding = Finding(question.reference, self._clock(), known=known)
            if before is not None and replace(finding, at=before.at) == before:
                return
        if finding is None:
            if before is not None:
                await lead.commit(*self._states.lose([question.reference]))
        elif finding != before:
            await self._states.note(finding, lead.attempt, unanswered=question.unanswered)

"""The ledger of cells against a naive model: each sequence a list of cells, each cell with an identity."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.engine.cells import CellLedger


class LedgerAgainstLists(RuleBasedStateMachine):
    """Extends, shares and cuts at random; both must count the same."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = CellLedger()
        self.sequences: dict[int, list[int]] = {}
        self.cells = itertools.count()
        self.numbers = itertools.count()

    @rule(count=st.integers(1, 50))
    def begin(self, count: int) -> None:
        """A new sequence with cells of its own."""
        number = next(self.numbers)
        self.ledger.extend(number, count)
        self.sequences[number] = list(itertools.islice(self.cells, count))

    @precondition(lambda self: self.sequences)
    @rule(data=st.data(), count=st.integers(1, 50))
    def extend(self, data: st.DataObject, count: int) -> None:
        """More cells at the end, shared or not."""
        number = data.draw(st.sampled_from(sorted(self.sequences)))
        self.ledger.extend(number, count)
        self.sequences[number] += itertools.islice(self.cells, count)

    @precondition(lambda self: self.sequences)
    @rule(data=st.data())
    def share(self, data: st.DataObject) -> None:
        """A new sequence on the beginning of another."""
        source = data.draw(st.sampled_from(sorted(self.sequences)))
        length = data.draw(st.integers(1, len(self.sequences[source])))
        number = next(self.numbers)
        self.ledger.share(source, number, length)
        self.sequences[number] = self.sequences[source][:length]

    @precondition(lambda self: self.sequences)
    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        """Less of a sequence, or nothing."""
        number = data.draw(st.sampled_from(sorted(self.sequences)))
        length = data.draw(st.integers(0, len(self.sequences[number])))
        self.ledger.cut(number, length)
        self.sequences[number] = self.sequences[number][:length]
        if not length:
            del self.sequences[number]

    @invariant()
    def counts_agree(self) -> None:
        """Cells in use, length of each sequence, and what dropping it would free."""
        held = list(itertools.chain.from_iterable(self.sequences.values()))
        assert len(set(held)) == self.ledger.used
        for number, cells in self.sequences.items():
            others = set(itertools.chain.from_iterable(c for n, c in self.sequences.items() if n != number))
            assert len(cells) == self.ledger.length(number)
            assert len(set(cells) - others) == self.ledger.own(number)


TestLedgerAgainstLists = LedgerAgainstLists.TestCase


def test_a_sequence_nobody_knows_has_nothing() -> None:
    """Asking for and cutting an unknown sequence changes nothing."""
    ledger = CellLedger()
    ledger.cut(7, 0)

    assert (0, 0, 0) == (ledger.used, ledger.length(7), ledger.own(7))

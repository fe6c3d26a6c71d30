"""How the next token is chosen: llama.cpp's samplers in a chain of our own for each request."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TypeAlias

import llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from bot.engine.llama import LlamaContext
from bot.errors import InvalidRequestError
from bot.generation import Sampling

Pointer: TypeAlias = "ctypes._Pointer[lib.llama_sampler]"
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data
PENALTY_WINDOW = 64  # tokens the repetition penalty looks back, llama.cpp's default


@dataclass(frozen=True, slots=True)
class TokenGrammar:
    """A grammar for llama.cpp.

    Attributes:
        gbnf: The grammar; its rule is `root`.
        patterns: Regular expressions matched from the beginning of the text; the grammar holds from the first group
            of the one that matches. () means that it holds from the first token.
    """

    gbnf: str
    patterns: tuple[str, ...] = ()


class Sampler:
    """The chain of one request; not for two threads."""

    def __init__(self, context: LlamaContext, sampling: Sampling, grammar: TokenGrammar | None) -> None:
        """Build the chain.

        Args:
            context: The model it samples from; must outlive the sampler.
            sampling: Without None (see `bot.engine.loaded.resolve`).
            grammar: What the text must look like.

        Raises:
            InvalidRequestError: If llama.cpp cannot read the grammar.
        """
        self._context = context
        self._chain: Pointer | None = None
        self._grammar = _make_grammar(context, grammar) if grammar is not None else None
        self._chain = _make_chain(context, sampling)
        self._candidates = np.zeros(context.vocabulary, dtype=_CANDIDATE) if self._grammar is not None else None

    def sample(self, index: int) -> int | None:
        """Choose the token after the batch's token `index`, and remember it; None where the grammar allows nothing."""
        if self._candidates is None:
            return int(lib.llama_sampler_sample(self._chain, self._context.pointer, index))
        # A grammar over a whole vocabulary costs milliseconds, so the free choice is tried first and checked
        # (the way of llama.cpp's common/sampling.cpp).
        token, allowed = self._choose(self._candidates, index, grammar_first=False)
        if not self._allows(token):
            token, allowed = self._choose(self._candidates, index, grammar_first=True)
        if not allowed:
            return None
        lib.llama_sampler_accept(self._grammar, token)
        lib.llama_sampler_accept(self._chain, token)
        return token

    def _allows(self, token: int) -> bool:
        one = lib.llama_token_data(token, 1.0, 0.0)
        array = lib.llama_token_data_array(ctypes.pointer(one), 1, -1, False)
        lib.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return bool(one.logit != float("-inf"))

    def _choose(self, candidates: NDArray[np.void], index: int, *, grammar_first: bool) -> tuple[int, bool]:
        """Return the chosen token and whether it is possible at all."""
        logits = lib.llama_get_logits_ith(self._context.pointer, index)
        candidates["id"] = np.arange(len(candidates))
        candidates["logit"] = np.ctypeslib.as_array(logits, shape=(len(candidates),))
        candidates["p"] = 0
        data = ctypes.cast(candidates.ctypes.data, lib.llama_token_data_p)
        array = lib.llama_token_data_array(data, len(candidates), -1, False)
        if grammar_first:
            lib.llama_sampler_apply(self._grammar, ctypes.byref(array))
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        if array.selected < 0:
            return -1, False
        chosen = array.data[array.selected]
        return int(chosen.id), bool(chosen.logit != float("-inf"))

    def close(self) -> None:
        """Free the samplers; safe to call twice."""
        for pointer in (self._grammar, self._chain):
            if pointer is not None:
                lib.llama_sampler_free(pointer)
        self._grammar = self._chain = None


def _make_grammar(context: LlamaContext, grammar: TokenGrammar) -> Pointer:
    text, vocabulary = grammar.gbnf.encode(), context.vocabulary_pointer
    made: Pointer | None
    if grammar.patterns:
        patterns = (ctypes.c_char_p * len(grammar.patterns))(*(pattern.encode() for pattern in grammar.patterns))
        made = lib.llama_sampler_init_grammar_lazy_patterns(
            vocabulary, text, b"root", patterns, len(grammar.patterns), (lib.llama_token * 0)(), 0
        )
    else:
        made = lib.llama_sampler_init_grammar(vocabulary, text, b"root")
    if not made:
        raise InvalidRequestError(
            "The grammar of the request cannot be read: check it against llama.cpp's GBNF notation."
        )
    return made


def _make_chain(context: LlamaContext, sampling: Sampling) -> Pointer:
    chain: Pointer = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    penalty = sampling.repetition_penalty
    if penalty is not None and penalty != 1:
        parts = [lib.llama_sampler_init_penalties(context.vocabulary, PENALTY_WINDOW, penalty, 0.0, 0.0)]
    else:
        parts = []
    if not sampling.temperature:
        parts.append(lib.llama_sampler_init_greedy())
    else:
        if sampling.top_k:
            parts.append(lib.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p is not None and sampling.top_p < 1:
            parts.append(lib.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p:
            parts.append(lib.llama_sampler_init_min_p(sampling.min_p, 1))
        parts.append(lib.llama_sampler_init_temp(sampling.temperature))
        parts.append(lib.llama_sampler_init_dist(sampling.seed & 0xFFFFFFFF))
    for part in parts:
        lib.llama_sampler_chain_add(chain, part)
    return chain

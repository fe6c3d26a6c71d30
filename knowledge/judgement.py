"""From measures to decisions: the weights of the ranking and of the confidence.

Both were fitted on benchmarks/questions and the development questions with strong regularisation (`make fit` prints
the fit and its cross-validation); docs/evaluation.md says how. They are few, so that they carry over to other
documents: every measure is a share or a cosine between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from knowledge.ranking import FEATURES, Measured

# Listwise softmax regression over each question's candidates.
PASSAGE_WEIGHTS: Mapping[str, float] = {
    "dense": 1.95,
    "unit": 1.26,
    "bm25": 0.26,
    "unit_bm25": 1.34,
    "cover": 2.33,
    "cover_unit": -0.50,
    "cover_document": 1.86,
    "identifiers": 0.55,
    "rank_dense": 2.35,
    "rank_bm25": 1.52,
    "prose": 0.84,
    "place": 1.63,
    "detail": 1.89,
    "length": 1.76,
    "issue": -0.55,
    "credits": -0.51,
}

# Logistic regression over the best passages of each question.
CONFIDENCE_WEIGHTS: Mapping[str, float] = {
    "top": 2.21,
    "cover": 1.39,
    "cover_unit": 0.33,
    "unit": 1.82,
    "dense": 1.73,
    "first_document": 1.86,
    "first_cover": 1.25,
    "first_unit": 1.31,
    "detail": 1.04,
    "first_detail": 0.60,
    "mean": 1.13,
    "identifiers": -0.16,
}
CONFIDENCE_BIAS = -7.29
CONFIDENCE_PASSAGES = 5  # the best passages that confidence looks at
NO_IDENTIFIERS = 0.5  # share reported for a question that names no identifier

_WEIGHTS = np.array([PASSAGE_WEIGHTS[name] for name in FEATURES])
_LARGEST = float(_WEIGHTS.clip(0).sum())
_AT = {name: position for position, name in enumerate(FEATURES)}


def similarities(measured: Sequence[Measured]) -> npt.NDArray[np.float64]:
    """Return the similarity of each candidate, 0 to 1 (large is near)."""
    if not measured:
        return np.zeros(0)
    scores = np.array([one.features for one in measured]) @ _WEIGHTS
    result: npt.NDArray[np.float64] = np.clip(scores / _LARGEST, 0.0, 1.0)
    return result


def confidence_measures(ranked: Sequence[Measured], similarity: Sequence[float], *, named: bool) -> dict[str, float]:
    """Return what confidence rests on, each 0 to 1; `named` says whether the question names an identifier."""
    best = np.array([one.features for one in ranked[:CONFIDENCE_PASSAGES]])
    first = best[0]
    return {
        "top": similarity[0],
        "cover": float(best[:, _AT["cover"]].max()),
        "cover_unit": float(best[:, _AT["cover_unit"]].max()),
        "unit": float(best[:, _AT["unit"]].max()),
        "dense": float(best[:, _AT["dense"]].max()),
        "first_document": float(first[_AT["cover_document"]]),
        "first_cover": float(first[_AT["cover"]]),
        "first_unit": float(first[_AT["unit"]]),
        "detail": float(best[:, _AT["detail"]].max()),
        "first_detail": float(first[_AT["detail"]]),
        "mean": float(np.mean(similarity[:CONFIDENCE_PASSAGES])),
        "identifiers": float(first[_AT["identifiers"]]) if named else NO_IDENTIFIERS,
    }


def confidence(ranked: Sequence[Measured], similarity: Sequence[float], *, named: bool) -> float:
    """Return the calibrated probability, 0 to 1, that the ranked passages hold the answer."""
    if not ranked:
        return 0.0
    measures = confidence_measures(ranked, similarity, named=named)
    logit = CONFIDENCE_BIAS + sum(CONFIDENCE_WEIGHTS[name] * value for name, value in measures.items())
    return 1.0 / (1.0 + math.exp(-logit))

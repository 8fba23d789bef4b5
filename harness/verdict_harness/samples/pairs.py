"""How much a quantile changed between two arms with interleaved blocks, and whether that can be told.

Blocks are made in pairs, in the order A B B A, so that what drifts slower than a pair cancels. Two figures
say how far arm B's quantile is from arm A's, and a change is only called small where both do:

- the *typical* pair: Hodges and Lehmann's estimate of the pairs' log ratios, with the interval of
  Wilcoxon's signed ranks. It is exact for any number of pairs from six on and for any distribution of
  latencies, as long as the two blocks of a pair could be exchanged if nothing had changed. A burst in one
  block is one outlier among the ranks.
- the *pooled* ratio: of the quantiles of everything in A and everything in B. It sees what happens in few
  blocks only, to which the typical pair is blind; its interval resamples whole pairs, so that nothing is
  claimed about the independence of requests.

The same rule, asked of arm A against itself, says whether this machine can tell such a change at all
today.

Sources: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, chapter 3 (signed ranks); Efron
and Tibshirani, An Introduction to the Bootstrap, chapter 13 (percentile intervals).
"""

from __future__ import annotations

import enum
import heapq
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 6  # pairs below which signed ranks can't reach the level of one look
LOOKS = (6, 12, 24)  # after so many pairs it may be judged; the error is shared among the looks
ERROR = 0.05  # on each side, over all looks together
BEYOND_CHANCE = 2.0  # a change that is surely larger is one on any machine, however restless
#: Log ratio of what is less than infinite; finite, so that it has a middle with what is infinitely more.
_INFINITELY_LESS = -700.0
_RESAMPLES = 199
_SEED = 20_24


@dataclass(frozen=True, slots=True)
class Block:
    """What one block measured.

    Attributes:
        values: every latency, in seconds, in ascending order; infinite for what was never answered.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or any(a > b for a, b in itertools.pairwise(self.values)):
            raise ValueError("a block has values, in ascending order")


@dataclass(frozen=True, slots=True)
class Ratio:
    """By what factor arm B differs from arm A.

    Attributes:
        value: the pooled quantiles' ratio.
        lo: the lower end of the typical pair's interval.
        hi: the upper end of it or of the pooled ratio's, whichever is higher.
        pairs: how many it rests on.
        n: observations in both arms.
    """

    value: float
    lo: float
    hi: float
    pairs: int
    n: int


def compare(pairs: Sequence[tuple[Block, Block]], quantile: float, *, looks: Sequence[int] = LOOKS) -> Ratio:
    """Return how much a quantile differs between the second blocks and the first.

    Args:
        pairs: ``(block of A, block of B)``, in the order in which they were made.
        quantile: such as 0.99.
        looks: all numbers of pairs after which it is asked; the error is shared among them.

    Raises:
        ValueError: fewer pairs than can carry an interval.

    >>> a, b = Block((1.0, 1.0, 2.0)), Block((2.0, 2.0, 4.0))
    >>> ratio = compare([(a, b)] * 6, 0.99)
    >>> ratio.value, round(ratio.lo, 9), round(ratio.hi, 9)
    (2.0, 2.0, 2.0)
    """
    error = ERROR / len(looks)
    typical = [_log_ratio(quantile_of(a.values, quantile), quantile_of(b.values, quantile)) for a, b in pairs]
    lo, hi = signed_ranks(typical, error)
    pooled = _Pooled(pairs, quantile)
    value = pooled.ratio([1] * len(pairs))
    return Ratio(
        value=value,
        lo=math.exp(lo),
        hi=max(math.exp(hi), pooled.upper(error)),
        pairs=len(pairs),
        n=sum(len(a.values) + len(b.values) for a, b in pairs),
    )


def against_itself(
    pairs: Sequence[tuple[Block, Block]], quantile: float, *, looks: Sequence[int] = LOOKS
) -> Ratio:
    """Return what :func:`compare` says of arm A's even blocks against its odd ones.

    Each is held against both its neighbours, and the last against the first, so that there are as many
    pairs as in the comparison proper, as noisy as these.  An odd block at the end is left out.

    Raises:
        ValueError: fewer pairs than can carry an interval.
    """
    blocks = [a for a, _ in pairs]
    blocks = blocks[: len(blocks) // 2 * 2]
    neighbours = itertools.pairwise([*blocks, blocks[0]])
    turned = [(b, a) if number % 2 else (a, b) for number, (a, b) in enumerate(neighbours)]
    return compare(turned, quantile, looks=looks)


class Ruling(enum.Enum):
    """What an interleaved comparison says of a change."""

    SMALL = "within the limit"
    LARGE = "beyond the limit"
    OPEN = "not to be told"


def rule(ratio: Ratio, itself: Ratio, limit: float) -> Ruling:
    """Say whether a change is within its limit, and whether this machine could have told.

    Args:
        ratio: arm B by arm A.
        itself: arm A by arm A: what this machine does by itself.
        limit: factor that is tolerated, itself included: 1.1 for +10 %.

    >>> quiet, noisy = Ratio(1.0, 0.97, 1.03, 12, 100), Ratio(1.0, 0.7, 1.4, 12, 100)
    >>> rule(Ratio(1.02, 0.99, 1.06, 12, 100), quiet, 1.1), rule(Ratio(1.02, 0.99, 1.06, 12, 100), noisy, 1.1)
    (<Ruling.SMALL: 'within the limit'>, <Ruling.OPEN: 'not to be told'>)
    >>> rule(Ratio(3.1, 2.6, 3.6, 12, 100), noisy, 1.1)
    <Ruling.LARGE: 'beyond the limit'>
    """
    calm = is_calm(itself, limit)
    if calm and ratio.hi <= limit and ratio.value <= limit:
        return Ruling.SMALL
    if min(ratio.lo, ratio.value) > (limit if calm else max(limit, min(itself.hi, BEYOND_CHANCE))):
        return Ruling.LARGE
    return Ruling.OPEN


def is_calm(itself: Ratio, limit: float) -> bool:
    """Whether a machine whose arm A differs so from itself can tell a change by the factor ``limit``."""
    return itself.hi <= limit and 1 / limit <= itself.lo


def quantile_of(ordered: Sequence[float], quantile: float) -> float:
    """Return the smallest value that at least that share of all values does not exceed.

    >>> quantile_of([1.0, 2.0, 3.0, 4.0], 0.5), quantile_of([1.0], 0.99)
    (2.0, 1.0)
    """
    return ordered[max(0, math.ceil(quantile * len(ordered) - 1e-9) - 1)]


def signed_ranks(values: Sequence[float], error: float) -> tuple[float, float]:
    """Return the interval of Wilcoxon's signed ranks for the centre of ``values``.

    Args:
        values: drawn symmetrically about it; at least six.
        error: how often each end may be missed.

    Raises:
        ValueError: so few values reach no such level.

    >>> signed_ranks([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.0167)
    (1.0, 6.0)
    """
    n = len(values)
    cut = _critical(n, error)
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    return walsh[cut - 1], walsh[len(walsh) - cut]


def _critical(n: int, error: float) -> int:
    """Return the largest k with P(W <= k - 1) <= error, W being the signed-rank statistic of n values."""
    counts = [1]
    for rank in range(1, n + 1):  # how many of the 2^n signs give each sum of ranks
        grown = counts + [0] * rank
        for total, ways in enumerate(counts):
            grown[total + rank] += ways
        counts = grown
    allowed, below, k = error * 2**n, 0, 0
    while below + counts[k] <= allowed:
        below += counts[k]
        k += 1
    if k == 0:
        raise ValueError(f"{n} pairs reach no error of {error:.3g}: at least {FEWEST} are needed")
    return k


def _log_ratio(a: float, b: float) -> float:
    if math.isinf(a) and math.isinf(b):
        return 0.0
    return _INFINITELY_LESS if math.isinf(a) else math.log(b / a)


class _Pooled:
    """Quantiles of all blocks of an arm together, some blocks counting several times.

    Both arms' values are sorted once, with the block each is of; a resample only walks down from the top.
    """

    def __init__(self, pairs: Sequence[tuple[Block, Block]], quantile: float) -> None:
        self._arms = [self._top([pair[arm] for pair in pairs], quantile) for arm in (0, 1)]
        self._sizes = [[len(pair[arm].values) for pair in pairs] for arm in (0, 1)]
        self._quantile = quantile
        self._pairs = len(pairs)

    @staticmethod
    def _top(blocks: Sequence[Block], quantile: float) -> list[tuple[float, int]]:
        # No resample looks further down: even a block that counts alone reaches its own quantile by then.
        parts = []
        for number, block in enumerate(blocks):
            first = max(0, math.ceil(quantile * len(block.values) - 1e-9) - 1)
            parts.append([(-value, number) for value in reversed(block.values[first:])])
        least = min(-part[-1][0] for part in parts)
        full = (
            [
                (-value, number)
                for value in itertools.takewhile(lambda value: value >= least, reversed(block.values))
            ]
            for number, block in enumerate(blocks)
        )
        return [(-value, number) for value, number in heapq.merge(*full)]

    def ratio(self, weights: Sequence[int]) -> float:
        """Return B's quantile by A's, each block counting ``weights`` times."""
        a, b = (self._quantile_of(arm, weights) for arm in (0, 1))
        return 1.0 if a == b else b / a

    def _quantile_of(self, arm: int, weights: Sequence[int]) -> float:
        total = sum(size * weight for size, weight in zip(self._sizes[arm], weights, strict=True))
        beyond = total - max(1, math.ceil(self._quantile * total - 1e-9))  # how many may exceed it
        seen = 0
        for value, number in self._arms[arm]:
            seen += weights[number]
            if seen > beyond:
                return value
        return self._arms[arm][-1][0]

    def upper(self, error: float) -> float:
        """Return the upper end of the interval: by resampling whole pairs, always in the same way."""
        draw = random.Random(_SEED)  # noqa: S311 - a replay has to find the same
        found = []
        for _ in range(_RESAMPLES):
            weights = [0] * self._pairs
            for number in draw.choices(range(self._pairs), k=self._pairs):
                weights[number] += 1
            found.append(self.ratio(weights))
        found.sort()
        return found[min(_RESAMPLES - 1, math.ceil((1 - error) * (_RESAMPLES + 1)) - 1)]

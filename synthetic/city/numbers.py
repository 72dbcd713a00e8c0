"""Whole numbers that add up, and random streams that do not depend on the order of the work."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """One stream of random numbers for each purpose; a number, once given, is never used again."""

    DISTRICT = 1
    SCHOOL = 2
    PEOPLE = 3
    MOVE = 4
    FITNESS = 5
    FITNESS_FILE = 6
    ILLNESS = 7
    OUTBREAK = 8
    INCIDENT = 9
    PLANNING = 10
    FAULT = 11
    FUTURE = 12
    STAFF = 13
    RESOURCE = 14
    HOTLINE = 15
    REGISTRATION = 16
    BALANCE = 17
    PAST = 18
    HAZARD = 31
    DRILL = 32
    GUARD = 33
    ALERT_STATE = 34
    EYESIGHT = 41
    SITTING = 42
    RECHECK = 43
    FABRICATION = 44


def stream(seed: int, purpose: Stream, *keys: int) -> np.random.Generator:
    """The stream of one purpose and key (district, year, …); equal in every process and on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(purpose), *keys])))


def allocate(totals: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Split each total over the last axis by weight, in whole numbers that add up (largest remainders).

    `totals` has the shape of `weights` without its last axis. Where all weights are 0, nothing is given out.
    """
    whole = weights.sum(axis=-1, keepdims=True)
    exact = np.divide(weights, whole, out=np.zeros_like(weights), where=whole > 0) * totals[..., None]
    floor = np.floor(exact).astype(np.int64)
    missing = np.where(whole[..., 0] > 0, totals - floor.sum(axis=-1), 0)
    order = np.argsort(-(exact - floor), axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(weights.shape[-1]), order.shape), axis=-1)
    return floor + (rank < missing[..., None])


def rank_within(groups: NDArray[np.int64], order_by: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position of each element among those of its group, by `order_by`, from 0."""
    order = np.lexsort((order_by, groups))
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.array([], int)
    within = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.r_[starts, len(ordered)]))
    rank = np.empty(len(groups), np.int64)
    rank[order] = within
    return rank

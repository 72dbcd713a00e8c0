"""The slow level of each unit, which follows what the coefficients miss."""

from __future__ import annotations

import numpy as np
from scipy import special

from jobs.decide.safety.answers import Array

# Memories of the slow level, as half-lives in steps; a last one keeps the level of the coefficients.
_HALF_LIVES = (5.0, 15.0, 45.0, 180.0)
_LEVEL_PRIOR = 10.0
_COMMON_HALF_LIVES, _COMMON_PRIOR = (2.0, 8.0), 50.0
_MANY = 20
_SKILL_HALF_LIFE = 150.0


class Levels:
    """Level of each unit relative to its coefficients, under several memories, weighted by skill.

    Each memory comes alone, and on top of the level of all units together (an epidemic, a cold spell), which
    moves fast and is well known where units are many.
    """

    def __init__(self, units: int) -> None:
        self.decay = 0.5 ** (1 / np.array(_HALF_LIVES))
        self.common_decay = 0.5 ** (1 / np.array(_COMMON_HALF_LIVES if units >= _MANY else ()))
        variants = 1 + len(self.common_decay)
        shape = (variants, len(_HALF_LIVES), units)
        self.observed, self.foretold = np.zeros(shape), np.zeros(shape)
        self.skill = np.zeros((variants, len(_HALF_LIVES) + 1, units))
        self._city = np.zeros((2, len(self.common_decay)))

    def common(self) -> Array:
        """Level of all units together, for each variant; the first knows none."""
        return np.append(1.0, (self._city[0] + _COMMON_PRIOR) / (self._city[1] + _COMMON_PRIOR))

    def watch(self, y: Array, mean: Array, information: Array) -> None:
        """Take one step into the common level."""
        now = np.array([[(information * y).sum()], [(information * mean).sum()]])
        self._city = self._city * self.common_decay + now

    def _ratios(self, common: Array) -> Array:
        own = (self.observed + _LEVEL_PRIOR) / (self.foretold + _LEVEL_PRIOR)
        own = np.concatenate([own, np.ones((len(own), 1, own.shape[2]))], axis=1)
        return own * common[:, None, None]

    def shares(self) -> Array:
        """Trust of each unit in each memory; what serves most units is believed first."""
        skill = self.skill.reshape(-1, self.skill.shape[2])
        prior = np.full(len(skill), 1.0 / len(skill))
        for _ in range(5):
            share = special.softmax(skill + np.log(prior)[:, None], axis=0)
            prior = (share.sum(axis=1) + 1) / (share.shape[1] + len(prior))
        return share.reshape(self.skill.shape)

    def ratio(self, shares: Array, common: Array) -> Array:
        return (shares * self._ratios(common)).sum(axis=(0, 1))

    def learn(self, y: Array, mean: Array, information: Array, common: Array, kept: Array) -> None:
        """Take in steps (units × steps) with their coefficients' mean; information is weight ÷ dispersion."""
        for k in range(y.shape[1]):
            foretold = self._ratios(common[:, k]) * mean[:, k] * kept[:, k]
            gain = information[:, k] * (y[:, k] * np.log(foretold) - foretold)
            self.skill = self.skill * 0.5 ** (1 / _SKILL_HALF_LIFE) + gain
            decay = np.where(information[:, k] > 0, self.decay[:, None], 1.0)
            self.observed = self.observed * decay + information[:, k] * y[:, k]
            seen = information[:, k] * kept[:, k] * mean[:, k] * common[:, k, None]
            self.foretold = self.foretold * decay + seen[:, None, :]

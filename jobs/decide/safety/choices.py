"""The names that a caller of the detection chooses among. Imports nothing, so that `--help` is quick."""

from __future__ import annotations

from typing import Literal, get_args

Method = Literal["ears_c1", "ears_c2", "ears_c3", "farrington_flexible", "farrington_classic", "school"]
METHODS: tuple[Method, ...] = get_args(Method)
Step = Literal["daily", "weekly"]
ThresholdMethod = Literal["delta", "nbPlugin", "muan"]
PowerTransform = Literal["none", "1/2", "2/3"]
# What a step without a row is.
Missing = Literal["unknown", "zero"]

"""How far registrations of spring are believed, and by which factor they change each unit's entrants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from jobs.decide.places.forecast import TOTAL
from jobs.decide.places.registration.springs import COMBINED, NO_SPRING, NOT_YET, Node, Springs

PRIOR_SPRINGS = 1.0
LEAST_SPREAD = 0.005  # of the share registered in the end, in logs
MOST_LEARNED = 0.95  # of a variance that registrations can take away


def reporting(springs: Springs, nodes: Mapping[str, Node]) -> list[str]:
    """Districts with registrations now and in an earlier spring; a district that sent none is not a zero."""
    known = {u for y in springs.years for u, n in springs.then[y].items() if n and springs.entrants[y].get(u)}
    return [u for u, node in nodes.items() if springs.now.get(u) and u in known and node.model > 0]


def _shares(springs: Springs, members: Iterable[str]) -> dict[int, float]:
    """Registered by the day / entrants of autumn, for the members together, by earlier spring."""
    found = {}
    for year in springs.years:
        mine = [u for u in members if springs.then[year].get(u) and springs.entrants[year].get(u)]
        if mine:
            came = sum(springs.entrants[year][u] for u in mine)
            found[year] = sum(springs.then[year][u] for u in mine) / came
    return found


def judge_city(
    city: Node, springs: Mapping[str, Springs], districts: Mapping[str, Node], usable: Sequence[str]
) -> None:
    """Set the city's registrations and, where past springs allow it, its forecast and error."""
    whole = springs[TOTAL]
    city.registered, city.springs = sum(whole.now.values()), len(whole.years)
    if not whole.years:
        city.remark = NO_SPRING
        return
    shares = _shares(springs["parent"], usable)
    if not shares:
        city.remark = NOT_YET
        return
    logs = np.log(list(shares.values()))
    city.share, city.springs = float(np.exp(logs.mean())), len(logs)
    early, late = (max(s, 1e-3) for s in whole.around)
    shift, cover = (math.log(late) - math.log(early)) / 2, abs(1 - whole.coverage) / 2
    prior = shift**2 + max(cover, LEAST_SPREAD) ** 2
    seen = float(((logs - logs.mean()) ** 2).sum())
    spread = (PRIOR_SPRINGS * prior + seen) / (PRIOR_SPRINGS + len(logs) - 1)
    here = sum(springs["parent"].now[u] for u in usable)
    city.implied_variance = spread * (1 + 1 / len(logs)) + _noise(city.share, here)
    model = sum(districts[u].model for u in usable)
    surprise = math.log(here / city.share / model)
    city.weight = city.variance / (city.variance + city.implied_variance)
    city.factor, city.remark = math.exp(city.weight * surprise), COMBINED
    city.learned = city.weight * city.variance * (model / max(city.model, 1.0)) ** 2


def _noise(share: float, registered: float) -> float:
    """Variance of the log of a share among so many children, each of whom has registered or not."""
    return max(1 - share, 0.02) / max(registered, 1.0)


def judge_members(
    nodes: Mapping[str, Node],
    shown: Sequence[str],
    springs: Springs,
    whole: tuple[Springs, Sequence[str]],
    above: Node,
    members: Sequence[str],
) -> None:
    """Factors of the members of one unit, from how the `shown` ones differ from the `whole`.

    Together they make up the unit's own factor. A member's share may regularly differ from that of all;
    earlier springs decide how much of this is believed."""
    beside = _shares(*whole)
    usual = float(np.exp(np.mean(np.log(list(beside.values()))))) if beside else math.nan
    own = {u: _shares(springs, [u]) for u in shown}
    off = {u: [math.log(s / beside[y]) for y, s in own[u].items() if y in beside] for u in shown}
    noise = {
        u: float(np.mean([_noise(min(beside[y], 1.0), springs.then[y][u]) for y in own[u] if y in beside]))
        for u in shown
        if off[u]
    }
    excess = [d * d - noise[u] for u in noise for d in off[u]]
    apart = max(float(np.mean(excess)), 0.0) if excess else 0.0
    now = sum(springs.now[u] for u in shown)
    model = sum(nodes[u].model for u in shown)
    moved: dict[str, float] = {}
    for unit in shown:
        node, seen = nodes[unit], len(off[unit])
        node.registered, node.springs = springs.now[unit], seen
        if node.model <= 0 or not seen or not model:
            continue
        believed = apart / (apart + noise[unit] / seen) if apart else 0.0
        bias = believed * float(np.mean(off[unit]))
        node.share = usual * math.exp(bias)
        node.implied_variance = _noise(min(node.share, 1.0), node.registered) + apart * (
            1 - believed + believed / (seen + 1)
        )
        node.weight = node.apart / (node.apart + node.implied_variance)
        surprise = math.log(node.registered / math.exp(bias) / node.model) - math.log(now / model)
        moved[unit] = node.weight * surprise
        node.remark = COMBINED
    before = sum(nodes[u].model for u in members)
    after = sum(nodes[u].model * math.exp(moved.get(u, 0.0)) for u in members)
    common = above.factor * (before / after if after else 1.0)
    for unit in members:
        nodes[unit].factor = common * math.exp(moved.get(unit, 0.0))
        nodes[unit].learned = learned_by(nodes[unit], above, (1 - nodes[unit].weight) * nodes[unit].apart)


def learned_by(node: Node, above: Node, own: float) -> float:
    """Variance of a member that registrations remove: all but what its own and the unit above leave."""
    return min(max(node.variance - (above.variance - above.learned) - own, 0.0), MOST_LEARNED * node.variance)

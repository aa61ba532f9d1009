"""Limits against queueing theory: L. Kleinrock, *Queueing Systems* I, 1975, chapters 3 (Erlang) and 5 (M/G/1)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.policies.engine import Tally
from harness.policies.laws import Exponential, Fixed, Law
from harness.policies.model import Limits, Load
from tests.policies.worlds import policy, tally, world

SERVICE_S = 30.0


def offered(load: float, servers: int, law: Law, when_full: str, jobs: int = 25_000, seed: int = 3) -> Tally:
    """Poisson arrivals that keep `load` of the servers busy."""
    limits = Limits.model_validate({"concurrent": servers, "when_full": when_full})
    return tally(policy(), world(law, limits=limits), Load(rate=load * servers / SERVICE_S, jobs=jobs), seed)


def erlang_b(traffic: float, servers: int) -> float:
    """Share of arrivals that find every server busy and are lost."""
    terms = [traffic**k / math.factorial(k) for k in range(servers + 1)]
    return terms[-1] / sum(terms)


def erlang_c(traffic: float, servers: int) -> float:
    """Share of arrivals that have to wait in line."""
    lost, busy = erlang_b(traffic, servers), traffic / servers
    return lost / (1 - busy * (1 - lost))


@pytest.mark.parametrize("law", [Exponential(SERVICE_S), Fixed(SERVICE_S)], ids=["exponential", "fixed"])
@pytest.mark.parametrize("servers", [1, 4])
def test_a_limit_that_refuses_loses_the_share_of_erlang_b_whatever_the_distribution(servers: int, law: Law) -> None:
    found = offered(0.8, servers, law, "refuse")
    assert found.refused / 25_000 == pytest.approx(erlang_b(0.8 * servers, servers), rel=0.04)


def test_one_server_with_a_line_makes_jobs_wait_as_pollaczek_and_khinchine_say() -> None:
    found = offered(0.7, 1, Fixed(SERVICE_S), "queue", jobs=40_000)
    waits = np.array(found.final_s) - SERVICE_S
    assert waits.min() == pytest.approx(0.0, abs=1e-6)
    assert waits.mean() == pytest.approx(0.7 * SERVICE_S / (2 * (1 - 0.7)), rel=0.06)


def test_several_servers_with_a_line_make_jobs_wait_as_erlang_c_says() -> None:
    servers, load = 4, 0.7
    found = offered(load, servers, Exponential(SERVICE_S), "queue")
    expected = SERVICE_S + erlang_c(load * servers, servers) * SERVICE_S / (servers * (1 - load))
    assert np.mean(found.final_s) == pytest.approx(expected, rel=0.04)


def test_a_closed_loop_delivers_as_many_as_its_users_can_wait_for() -> None:
    found = tally(policy(), world(SERVICE_S), Load(concurrency=3, jobs=30))
    assert found.final_s == pytest.approx([SERVICE_S] * 30)
    limited = world(SERVICE_S, limits=Limits(concurrent=2, when_full="queue"))
    line = tally(policy(), limited, Load(concurrency=3, jobs=30))
    assert np.mean(line.final_s[3:-3]) == pytest.approx(SERVICE_S * 3 / 2, rel=0.05)  # Little's law

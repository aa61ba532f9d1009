"""Alerts as Alertmanager takes them: ``POST /api/v2/alerts``, a JSON list; anything that takes that list will do.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (postableAlerts). What fires is sent with
every round, with an ``endsAt`` some rounds ahead (of the period, or of the last round where that took longer):
Alertmanager takes an alert that nobody repeats for resolved, and a watch that died resolves by itself instead of
firing for ever. The client is the standard library's. No redirect is followed and no proxy is between us and this
machine, so that a token stays with the host it is for.
"""

from __future__ import annotations

import json
import os
import urllib.request
from datetime import datetime, timedelta
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError, URLError

import msgspec

from harness.errors import UsageProblem
from harness.history.model import AlertState, Standing
from harness.telling.words import parts_of

TIMEOUT_S = 10.0
ROUNDS_AHEAD = 3
LEAST_AHEAD_S = 300.0  # Alertmanager's own resolve_timeout


def alerts_of(standing: Standing) -> list[dict[str, Any]]:
    """What fires, and what was resolved with this round, in Alertmanager's words."""
    took_s = standing.round.ended_s - standing.round.began_s  # may be longer than the period: the next word comes later
    ahead = timedelta(seconds=max(LEAST_AHEAD_S, ROUNDS_AHEAD * max(standing.every_s, took_s)))
    until = (datetime.fromisoformat(standing.at) + ahead).isoformat(timespec="seconds")
    return [
        *(_alert(standing, one, until) for one in standing.firing),
        *(_alert(standing, one, one.resolved_at or standing.at) for one in standing.resolved),
    ]


def _alert(standing: Standing, alert: AlertState, ends_at: str) -> dict[str, Any]:
    labels = {
        "alertname": alert.name,
        "scenario": standing.scenario,
        "subject": alert.subject,
        "severity": "warning",
        **alert.labels,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {"summary": f"{alert.subject}: {alert.summary}"},
        "startsAt": alert.started_at or standing.at,
        "endsAt": ends_at,
    }


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        return None


class Webhook:
    """One receiver. The token is read from the named variable, and goes out over https or to this machine only."""

    def __init__(self, url: str, token_env: str | None = None) -> None:
        parts = parts_of("--webhook", url, "http://HOST:9093/api/v2/alerts")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageProblem(f"--webhook: {parts.scheme or 'that'} is no http or https address with a host")
        if parts.username or parts.password:
            raise UsageProblem(
                "--webhook: no name or password in the address; name a variable with --webhook-token-env"
            )
        self._url = url
        self._token: str | None = None
        if token_env is not None:
            self._token = os.environ.get(token_env)
            if not self._token:
                raise UsageProblem(f"--webhook-token-env: the variable {token_env} is not set")
            if parts.scheme == "http" and not _is_here(parts.hostname):
                raise UsageProblem("--webhook-token-env: a token goes over https only, or to this machine")
        self.host = parts.hostname
        direct = [urllib.request.ProxyHandler({})] if _is_here(parts.hostname) else []
        self._opener = urllib.request.build_opener(_NoRedirect, *direct)
        self._owed: tuple[AlertState, ...] = ()  # resolved, and not taken yet

    def tell(self, standing: Standing) -> str | None:
        """Send what there is to say; what went wrong, or None. Never raises for what the other side does."""
        again = {one.key for one in (*standing.firing, *standing.resolved)}
        owed = (*(one for one in self._owed if one.key not in again), *standing.resolved)
        alerts = alerts_of(msgspec.structs.replace(standing, resolved=owed))
        if not alerts:
            return None
        said, self._owed = self._post(alerts), owed
        if said is None:
            self._owed = ()
        return said

    def _post(self, alerts: list[dict[str, Any]]) -> str | None:
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self._url, json.dumps(alerts).encode(), headers, method="POST")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                answer.read(1024)
        except HTTPError as error:
            with error:
                return f"webhook: {self.host} answered HTTP {error.code} to {len(alerts)} alerts; sent again next round"
        except (URLError, OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            return f"webhook: {self.host} was not reached ({type(reason).__name__}); sent again next round"
        return None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

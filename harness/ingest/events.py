"""Joined sightings → a journal: one event a job, written by DuckDB, so that a million records take seconds.

The outermost log that has a job tells it: its records are the job's attempts, in order. What further logs say of the
same job goes two ways: who ended it, in their own words, into the attempt's `log_words`; and whether the work was done,
into a backend's record (`harness.ingest.backend`), where the innermost log knows.

What a log cannot tell stays null. It never shows the image itself: an answer of 20 kB and more with a success counts as
one, and the event says so (`image_not_looked_at`); a smaller one may hold a link to it, and is `unknown`.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.frame.schema import literal
from harness.ingest.join import DEPTH, Joined, Rows

LEAST_IMAGE_BYTES = 20_000
LEAST_LINK_BYTES = 64  # JSON with an address, or a number, in it
# Failures by which no connection came about: browsers' words, and classes of HTTP libraries.
NOT_REACHED = (
    "NAME_NOT_RESOLVED|CONNECTION_REFUSED|CONNECTION_TIMED_OUT|INTERNET_DISCONNECTED|ERR_ADDRESS_|ERR_CERT_|ERR_SSL_|"
    "PROXY_CONNECTION_FAILED|UNKNOWN_HOST|ConnectError|ConnectTimeout|ClientConnector|ENOTFOUND|ECONNREFUSED"
)
# Of logs on one side, who stands further out: CDNs before load balancers before proxies.
_OUTNESS = {
    "cloudflare": 0, "cloudfront": 0, "fastly": 0, "vercel": 1, "aws_alb": 2, "haproxy": 3, "envoy": 3, "nginx": 4,
    "caddy": 4, "apache": 4,
}  # fmt: skip


def rank(table: pd.DataFrame, joined: Joined) -> pd.DataFrame:
    """The sightings with what of their job they are.

    `rank`: the smaller, the further out its log stands; `tells`: it is of the outermost log that has the job; `tries`:
    how many such records the job has; `began_s`: when the first of them began.
    """
    depth = table["side"].map(DEPTH).fillna(1).to_numpy(dtype=np.int64)
    out = table["writer"].map(_OUTNESS).fillna(5).to_numpy(dtype=np.int64)
    ranks = (depth * 10 + out) * 1000 + table["file"].to_numpy(dtype=np.int64)
    ranks = np.where(_later_tries(table, joined.job, depth * 10 + out), (depth * 10 + out) * 1000, ranks)
    job, kept = joined.job, ~joined.doubtful
    count = int(job.max()) + 1 if job.size else 0
    outermost = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(outermost, job, ranks)
    tells = ranks == outermost[job]
    start = table["started_at_s"].to_numpy(dtype=np.float64)
    began = np.full(count, np.inf)
    np.fmin.at(began, job[tells], start[tells])
    began[np.isinf(began)] = np.nan
    found = table.assign(
        job=job,
        ground=joined.ground,
        offset_s=joined.offset_s,
        rank=ranks,
        tells=tells,
        tries=np.bincount(job[tells], minlength=count)[job],
        began_s=began[job],
    )
    return found[kept] if not kept.all() else found


def _later_tries(table: pd.DataFrame, job: Rows, place: Rows) -> NDArray[np.bool_]:
    """Records of one job and one place on the way, in several files, of which none lies over another: a job that was
    tried again met another machine, or another part of the log. They are tries, not hops."""
    if table["file"].nunique() < 2:
        return np.zeros(len(table), dtype=bool)
    took, step = (np.nan_to_num(table[name].to_numpy(dtype=np.float64)) for name in ("duration_ms", "started_step_s"))
    start = table["started_at_s"].to_numpy(dtype=np.float64)
    seen = pd.DataFrame(
        {"job": job, "place": place, "writer": table["writer"].to_numpy(), "file": table["file"].to_numpy()}
    ).assign(start=start, end=start + took / 1000, step=step)
    keys = ["job", "place", "writer"]
    mixed = seen.groupby(keys, sort=False)["file"].transform("nunique") > 1
    found = np.zeros(len(table), dtype=bool)
    some = seen[mixed].sort_values([*keys, "start"], kind="stable")
    if some.empty:
        return found
    before = some.groupby(keys, sort=False)[["end", "step"]].shift()
    some["over"] = (some["start"] < before["end"] - before["step"] - some["step"]) | some["start"].isna()
    found[some.index[~some.groupby(keys, sort=False)["over"].transform("any")]] = True
    return found


def write_events(ranked: pd.DataFrame, run_id: str, events: Path, backend: Path) -> int:
    """Write ``events.jsonl`` and ``backend.jsonl``; returns how many jobs there are."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", ranked)
        numbers = [name for name in ranked.columns if pd.api.types.is_float_dtype(ranked[name])]
        nulls = ", ".join(f'CASE WHEN isnan("{name}") THEN NULL ELSE "{name}" END AS "{name}"' for name in numbers)
        connection.execute(f"CREATE TEMP VIEW sightings AS SELECT * REPLACE ({nulls}) FROM given")
        connection.execute(_SIGHTED)
        connection.execute(_TRIES)
        connection.execute(_JOBS, {"run_id": run_id, "least": LEAST_IMAGE_BYTES, "least_link": LEAST_LINK_BYTES})
        connection.execute(f"COPY (SELECT * EXCLUDE (job) FROM jobs ORDER BY job) TO {literal(events)} (FORMAT json)")
        connection.execute(_BACKEND)
        connection.execute(
            f"COPY (SELECT * FROM backend ORDER BY client_request_id) TO {literal(backend)} (FORMAT json)"
        )
        found = connection.execute("SELECT count(*) FROM jobs").fetchone()
    return int(found[0]) if found else 0


_HOW = f"""
    CASE
        -- An error within a stream, behind a 200.
        WHEN status BETWEEN 200 AND 299 AND error_type IS NOT NULL AND coalesce(images, 0) = 0 THEN 'error'
        WHEN status BETWEEN 200 AND 299 AND coalesce(gave_up, 'nobody') = 'nobody' THEN 'whole'
        WHEN status IS NULL AND first_byte_at_ms IS NULL AND regexp_matches(failure, '{NOT_REACHED}') THEN 'unreachable'
        WHEN status BETWEEN 200 AND 299 OR status = 499 OR status IS NULL OR gave_up = 'client' THEN 'cut'
        ELSE 'error'
    END
"""

_SIGHTED = f"""
CREATE TEMP TABLE sighted AS
SELECT *, {_HOW} AS how, coalesce((started_at_s - began_s) * 1000, 0) AS base,
    -- What this side knows of a whole answer: an image mark, an image, or enough bytes to be one.
    (final_image_at_ms IS NOT NULL OR coalesce(images, 0) > 0) AS image_seen
FROM sightings
"""

_MARKS = """{
    'started_at_ms': base,
    'request_sent_at_ms': base + coalesce(request_sent_at_ms, connect_ms, CASE WHEN side <> 'client' THEN 0 END),
    'first_byte_at_ms': base + coalesce(first_byte_at_ms, CASE WHEN status IS NOT NULL THEN upstream_first_byte_ms END,
        CASE WHEN how = 'error' AND gave_up = 'self' THEN duration_ms END),
    'final_image_at_ms': CASE WHEN how = 'whole' THEN base + coalesce(final_image_at_ms, duration_ms) END,
    'last_byte_at_ms': CASE WHEN status IS NOT NULL AND how <> 'cut' THEN base + duration_ms END,
    'partial_images': CASE WHEN first_partial_image_at_ms IS NOT NULL THEN
        [{'first_byte_at_ms': base + first_partial_image_at_ms, 'whole_at_ms': base + first_partial_image_at_ms}]
        ELSE [] END,
    -- An attempt has to have this mark; whether it is known says the job's `total_ms`.
    'ended_at_ms': base + coalesce(duration_ms, 0)
}"""

_TRY = f"""{{
    'client_request_id': coalesce(client_request_id, 'intake-' || job::VARCHAR),
    'marks': {_MARKS},
    'ended': CASE how WHEN 'cut' THEN 'remote_closed' WHEN 'unreachable' THEN 'connect_failed' ELSE 'complete' END,
    'failure': CASE WHEN failure IS NULL THEN [] ELSE string_split(failure, ' < ') END,
    'http_status': CASE WHEN status = 499 THEN NULL ELSE status::INT END,
    'headers': coalesce(try_cast(reply_headers AS JSON), '{{}}'::JSON),
    'request_id': request_id,
    'ids': CASE WHEN call_id IS NOT NULL THEN json_object('call', call_id) ELSE '{{}}'::JSON END,
    'error': CASE WHEN error_type IS NOT NULL OR error_code IS NOT NULL
        THEN {{'type': error_type, 'code': error_code}} END,
    'body_kind': body_kind, 'body_head': body_head,
    'bytes_up': coalesce(bytes_up, 0)::BIGINT, 'bytes_down': coalesce(bytes_down, 0)::BIGINT,
    'server_ms': server_ms, 'gateway_retries': retries::INT
}}"""

_LAST = """{'d': duration_ms, 'b': base, 'status': status, 'how': how, 'seen': image_seen, 'bytes': bytes_down,
    'images': images, 'image_bytes': image_bytes}"""

# What a job has from its records: of the only one as it stands, of several the first that says it, or the last.
_ANY = (
    "began_s", "model", "quality", "size", "output_format", "n", "route", "writer", "side", "path", "user_hash",
    "prompt_hash", "prompt_chars", "usage_input_tokens", "usage_output_tokens",
)  # fmt: skip
# Of several the last one's, said or not: an id, a clock or an error of a try before is none of how the job ended.
_LATEST = {name: name for name in ("error_type", "error_code", "request_id", "connect_ms", "server_ms")} | {
    name: f"base + {name}" for name in ("first_partial_image_at_ms", "first_byte_at_ms")
}

# Nearly every job has one record, and grouping is what takes time.
_TRIES = f"""
CREATE TEMP TABLE told AS
SELECT job, [{_TRY}] AS made, {_LAST} AS last_try, coalesce(stream, 0) = 1 AS stream, file::INT AS file,
    line::BIGINT AS line, cost_usd, {", ".join((*_ANY, *_LATEST))}
FROM sighted WHERE tells AND tries = 1
UNION ALL BY NAME
SELECT job, list({_TRY} ORDER BY started_at_s, line) AS made,
    list({_LAST} ORDER BY started_at_s, line)[-1] AS last_try, sum(cost_usd) AS cost_usd,
    bool_or(coalesce(stream, 0) = 1) AS stream,
    list(file ORDER BY file, line)[1]::INT AS file, list(line ORDER BY file, line)[1]::BIGINT AS line,
    {", ".join(f"any_value({name} ORDER BY started_at_s) AS {name}" for name in _ANY)},
    {", ".join(f"list({sql} ORDER BY started_at_s, line)[-1] AS {name}" for name, sql in _LATEST.items())}
FROM sighted WHERE tells AND tries > 1 GROUP BY job
"""

_JOBS = """
CREATE TEMP TABLE jobs AS
WITH words AS (
    SELECT job, list({
        'writer': writer, 'side': side, 'gave_up': gave_up, 'word': gave_up_word,
        'after_ms': coalesce(CASE WHEN gave_up = 'self' THEN upstream_ms END, duration_ms), 'status': status::INT,
        'connected': CASE WHEN connect_ms IS NOT NULL THEN true END,
        'ground': CASE WHEN tells THEN 'own' WHEN ground = 'time' THEN 'time' ELSE 'id' END
    } ORDER BY rank, started_at_s) AS log_words
    FROM sighted WHERE gave_up IS NOT NULL GROUP BY job
),
judged AS (
    SELECT *, CASE
        WHEN last_try.how = 'whole' AND (last_try.seen
            OR (last_try.images IS NULL AND coalesce(last_try.bytes, $least) >= $least)) THEN 'image'
        WHEN last_try.how <> 'whole' THEN last_try.how
        -- Nobody looked into it, and it is large enough for a link to an image, or for a task's number.
        WHEN last_try.images IS NULL AND last_try.bytes >= $least_link THEN 'unknown' ELSE 'empty' END AS outcome
    FROM told
)
SELECT judged.job AS job,
    'image_job' AS event, 1 AS schema_version, $run_id AS run_id,
    (file + 1)::VARCHAR || ':' || line::VARCHAR AS job_id,
    concat_ws('/', coalesce(route, writer), coalesce(quality, 'any'), coalesce(size, 'any')) AS cell,
    1 AS block, row_number() OVER (ORDER BY began_s, judged.job) AS position,
    strftime(make_timestamp((coalesce(began_s, 0) * 1000000)::BIGINT), '%Y-%m-%dT%H:%M:%S.%g') || '+00:00'
        AS request_started_at,
    'UTC' AS timezone, coalesce(route, writer) AS route,
    CASE WHEN path LIKE '%/responses' THEN 'responses' ELSE 'images' END AS route_kind,
    CASE side WHEN 'gateway' THEN 'gateway' ELSE 'client_infrastructure' END AS route_owner,
    coalesce(regexp_extract(path, '(/images/[a-z]+|/responses)$', 1), '') AS endpoint,
    coalesce(model, 'not said') AS model, quality, size, output_format, coalesce(n, 1)::INT AS n, stream,
    coalesce(prompt_chars, 0)::INT AS prompt_chars, coalesce(prompt_hash, '') AS prompt_hash,
    outcome, made[-1].ended AS ended,
    made[-1].http_status AS http_status, error_type, error_code, request_id,
    len(made) - 1 AS retry_count,
    connect_ms, first_byte_at_ms AS first_byte_ms, first_partial_image_at_ms AS first_partial_image_ms,
    CASE WHEN outcome = 'image' THEN made[-1].marks.final_image_at_ms END AS final_image_ms,
    CASE WHEN outcome = 'image' THEN made[-1].marks.final_image_at_ms END AS delivered_ms,
    CASE WHEN last_try.d IS NOT NULL THEN made[-1].marks.ended_at_ms END AS total_ms, server_ms,
    made[-1].gateway_retries AS gateway_retries,
    list_sum([one.bytes_up FOR one IN made])::BIGINT AS bytes_up,
    list_sum([one.bytes_down FOR one IN made])::BIGINT AS bytes_down,
    CASE WHEN outcome = 'image' AND last_try.image_bytes IS NOT NULL
        THEN [{'image_bytes': last_try.image_bytes::BIGINT}] ELSE [] END AS images,
    CASE WHEN usage_output_tokens IS NOT NULL OR usage_input_tokens IS NOT NULL
        THEN {'input_tokens': usage_input_tokens::BIGINT, 'output_tokens': usage_output_tokens::BIGINT} END AS usage,
    cost_usd,
    CASE WHEN usage_output_tokens IS NOT NULL OR cost_usd IS NOT NULL THEN 'usage' ELSE 'estimate' END AS cost_basis,
    CASE WHEN outcome IN ('image', 'unknown') AND NOT last_try.seen THEN ['from_a_log', 'image_not_looked_at']
        ELSE ['from_a_log'] END AS notes,
    CASE WHEN len(made) = 1 THEN [struct_insert(made[1], number := 1::BIGINT, log_words := coalesce(log_words, []))]
    ELSE [struct_insert(made[i], number := i,
        log_words := CASE WHEN i = len(made) THEN coalesce(log_words, []) ELSE [] END)
        FOR i IN range(1, len(made) + 1)] END AS attempts
FROM judged LEFT JOIN words USING (job)
"""

_BACKEND = """
CREATE TEMP TABLE backend AS
WITH ends AS (
    -- A try without a beginning or a duration may have been the one that ended last.
    SELECT job, CASE WHEN count(*) = count(started_at_s - offset_s + duration_ms)
        THEN max(started_at_s - offset_s + duration_ms / 1000) END AS left_at_s
    FROM sighted WHERE tells GROUP BY job
),
inner_most AS (
    SELECT job, arg_max({'finished': finished, 'how': how, 'status': status, 'gave_up': gave_up,
        'duration_ms': duration_ms, 'end_s': started_at_s - offset_s + duration_ms / 1000,
        'step': started_step_s, 'ground': ground}, rank) AS deep,
        count(*) FILTER (WHERE how = 'whole' AND side = 'upstream') AS calls
    FROM sighted WHERE NOT tells GROUP BY job
)
SELECT coalesce(jobs.attempts[-1].client_request_id, '') AS client_request_id,
    CASE WHEN deep.finished IS NOT NULL THEN deep.finished = 1
         WHEN deep.how = 'whole' THEN true WHEN deep.how = 'error' AND deep.gave_up IS NULL THEN false END AS finished,
    CASE WHEN deep.how = 'whole' AND deep.end_s IS NOT NULL AND left_at_s IS NOT NULL
         THEN deep.end_s > left_at_s + 2 * coalesce(deep.step, 0) + 1 END AS finished_after_client_left,
    deep.duration_ms / 1000 AS latency_s,
    CASE WHEN calls > 0 THEN calls END AS upstream_calls
FROM inner_most JOIN jobs USING (job) LEFT JOIN ends USING (job)
"""

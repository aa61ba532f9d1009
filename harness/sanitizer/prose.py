"""Sentences: a prompt by its shape. What machines say about a request has words of its own, and stays."""

from __future__ import annotations

import re

from harness.sanitizer.rules import compiled
from harness.sanitizer.words import words

_RUN = compiled(r"((?:[A-Za-z\xff](?:[A-Za-z\xff-]|'[a-z])*[,;]? ){4,}[A-Za-z\xff](?:[A-Za-z\xff-]|'[a-z])*)")
_CJK = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af][\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff0c\u3001\u3002 ,]{9,}"
)
_WORD = re.compile(r"[^\W\d_]+")
_MACHINE = words(
    """error errors failed failure failing fail timeout timeouts timed limit limits limited exceeded exceeds request
    requests requested response responses connection connections connect connected connecting refused reset closed
    upstream downstream server servers client retry retries retrying retried rate quota invalid unsupported unknown
    parameter parameters param required missing api http https tls ssl certificate handshake socket proxy gateway header
    headers body status code exception traceback unauthorized forbidden denied unavailable overloaded capacity
    organization billing rejected moderation safety violated policy deprecated endpoint host resolve dns buffer
    buffering
    stream streaming bytes payload content-type json parse parsing decode decoding cache deployment model models
    aborted cancelled canceled terminated expired token tokens authentication permission permissions access account
    configured configuration config worker workers process thread threads queue queued pending attempt attempts
    generation generated processing completed succeeded maximum minimum allowed supported version sdk library
    documentation contact support help administrator please backend peer remote closing keepalive idle reading sending
    writing waiting received sent disconnected health check job jobs task tasks user-agent schema field fields string
    integer expected value values object array type format verified verify verification credential credentials incorrect
    provided exist exists found instance started starting stopped listening port layer hop measurement clock deadline
    because network internet temporarily try later again exhausted usage budget fallback cooldown route routing
    loaded downloading download uploaded upload latency duration elapsed seconds milliseconds minutes transient"""
)
_MACHINE_CJK = re.compile(
    "错误|超时|请求|失败|渠道|限制|重试|上游|无效|令牌|额度|服务|连接|エラー|失敗|タイムアウト|오류|시간"
)


def is_machine_talk(text: str) -> bool:
    """Whether a sentence speaks of requests and failures: a tenth of its words do, and at least one."""
    words = [word.lower() for word in _WORD.findall(text[:2000])]
    told = sum(word in _MACHINE for word in words)
    return told >= 1 and told * 8 >= len(words)


def prose_spans(text: str, view: bytes, words: int) -> list[tuple[int, int]]:
    """Runs of at least so many words that are no machine's. Positions in the text."""
    spans = []
    for found in _RUN.finditer(view):
        start, end = found.span(1)
        piece = text[start:end]
        if piece.count(" ") + 1 >= words and not is_machine_talk(piece):
            spans.append((start, end))
    if not text.isascii():
        for run in _CJK.finditer(text):
            if not _MACHINE_CJK.search(run[0]):
                spans.append(run.span())
    return spans


def has_words(text: str) -> int:
    """How many words there are; a sentence without blanks counts its characters by halves."""
    if any("\u3040" <= character <= "\ud7af" for character in text[:400]):
        return max(len(text) // 2, 1)
    return len(_WORD.findall(text[:4000]))

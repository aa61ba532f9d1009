"""Blind rating: which cell's pictures people prefer, without knowing whose they are.

`pairs` draws the pairs, `sitting` keeps which is which, `page` and `serve` show them, `votes` is what comes of it.
"""

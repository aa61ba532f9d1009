"""Policies drilled live: jobs as users would see them, while the primary route is broken and mended.

`course` says what a job does next (pure), `legs` sends what it says through the routes of a run, `switching` breaks and
mends, `session` drives all of it, `measures` and `text` are what comes of it.
"""

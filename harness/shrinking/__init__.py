"""The smallest request that still shows a verdict: shapes in, the next shape or the answer out.

Pure but for reading and writing ``shrink.json``, and of neither half: `cli/` sends what it asks for with the measuring
half and lets the reading half judge what came back.
"""

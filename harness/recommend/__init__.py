"""Which tier to use, with which timeout, how many at once, at what monthly cost, and what would change the answer.

Pure: candidates (cells as curves and counts) and uses in, a `Recommendation` out. Nothing of the report is known here;
`harness.report.recommendation` makes the candidates out of a run's columns.
"""

"""Plan before paying: how many images a question takes. Pure, over medians and spreads from a profile or earlier runs.

Knows neither half: what a scenario asks and what a run left come in as plain data.
"""

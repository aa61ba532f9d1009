"""How a watch stands, told to what people already look at: Prometheus, Alertmanager, OpenTelemetry.

Knows the records of `harness.history.model` and nothing else of ours. Each way is imported when it is asked for.
"""

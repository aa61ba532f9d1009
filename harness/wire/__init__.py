"""MEASURE: sockets and bytes. Knows nothing of images: clock, trace, transport, SSE, failures."""

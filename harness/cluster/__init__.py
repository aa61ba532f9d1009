"""One run from several machines: Dask carries leases out and events back, and the client keeps the only journal."""

"""Wall 2 of the packet's three: what may stay of somebody's HAR, log or error body. Pure; no network library."""

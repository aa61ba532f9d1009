"""How many at a time a route takes without refusing: which level to try next, and what the trials show. Pure."""

"""The declared layers of a route, as plain numbers: which caps bite, in which order they should be, what to change.

Pure but for reading configuration files. It knows the waist and nothing of measuring or reading, so both may use it: a
scenario takes caps out of a user's own configuration, and ``harness chain`` looks at them before a cent is spent.
"""

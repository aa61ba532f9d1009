"""The embedded image API and its intermediaries: an independent oracle. Imports nothing from the rest of the package.

It knows the public wire and nothing of our classes, so that tests can hold the harness against it.
"""

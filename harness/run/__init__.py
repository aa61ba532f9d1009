"""MEASURE: jobs over routes, journalled as they end."""

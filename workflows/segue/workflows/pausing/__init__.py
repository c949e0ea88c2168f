"""Pause and resume: a run starts nothing new, wholly or of one system, until it is told to go on.

Workflows share these modules with the process (`segue.client.sandbox`): what a run holds is in objects of its own.
"""

"""Deterministic layer: what Segue does inside workflows, and the workflows that it ships."""

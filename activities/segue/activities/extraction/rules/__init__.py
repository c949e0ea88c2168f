"""Rules: what a document says, found without a model. Pure, synchronous code."""

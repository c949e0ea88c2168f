"""From the blocks that a reader sets apart to the sections and clauses of a document."""

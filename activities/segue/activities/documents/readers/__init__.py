"""One reader for each kind of document: from its bytes to text and blocks. Each imports its library when first used."""

"""What a report says of who wrote a summary: of the whole, and of each part where a model was asked."""

from __future__ import annotations

from segue.activities.summary._summary import Part, Summary

__all__ = ["counted", "of_part", "of_summary"]


def of_summary(summary: Summary) -> str:
    """Return who wrote a summary, and what it does not tell."""
    if not summary.parts:
        return "No sentence of the document could be chosen: this summary tells nothing of it."
    models = list(dict.fromkeys(part.engine for part in summary.parts if part.engine != "extractive"))
    own = sum(part.engine == "extractive" for part in summary.parts)
    removed = sum(part.removed for part in summary.parts)
    if models:
        told = f"Written by {', '.join(models)}; each sentence cites, and was held by rules against what it cites."
        if own:
            told += f" {own} of {counted(len(summary.parts), 'part')} in the document's own sentences."
    elif summary.asked:
        told = f"Sentences of the document, word for word: {summary.asked} was asked, and wrote no part that was kept."
    else:
        told = "Sentences of the document, word for word. No model took part."
    if removed:
        told += f" {removed} unsupported {'sentence was' if removed == 1 else 'sentences were'} removed."
    return told


def of_part(summary: Summary, part: Part) -> str:
    """Return who wrote a part; empty where no model was asked for any."""
    if not summary.asked and all(one.engine == "extractive" for one in summary.parts):
        return ""
    told = "the document's own sentences" if part.engine == "extractive" else f"in the words of {part.engine}"
    return f"{told}; {counted(part.removed, 'unsupported sentence')} removed" if part.removed else told


def counted(count: int, noun: str) -> str:
    """Return a number of things, as `1 word` or `2 words`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

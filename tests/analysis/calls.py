"""An earnings call, for the tests of summaries: made up, with ceremony, results, an outlook, and questions."""

from __future__ import annotations

from segue.activities.documents import ParsedDocument, parse

CALL = """\
Operator: Good morning, and welcome to the Larkspur Kettles third quarter conference call. All lines are on
listen-only. As a reminder, this call is recorded. I will turn the call over to Ada Brandt.

Ada Brandt: Thank you, and good morning everyone. Today's remarks include forward-looking statements, and
actual results may differ. Our filings with the regulator describe the risks.

Ben Okafor: Thanks, Ada. Revenue in the third quarter was $84.2 million, which increased 12% year over year.
Gross margin was 41.5%, compared to 39.8% in the same quarter last year. Net income was $9.1 million, or $0.61
per diluted share. We are proud of our teams. Our kettles are sold in 2,300 stores, and we opened a second
warehouse in Rotterdam to serve customers in the north. Free cash flow was $11.4 million, and we repurchased
shares for $5 million.

Cleo Marsh: Turning to our outlook. We now expect full year revenue in the range of $330 million to $336
million. We anticipate capital expenditures of about $14 million for the full year. Freight costs will weigh
on gross margin by 60 basis points in the fourth quarter. Inventory was $38 million at the end of the quarter,
and we plan to reduce it by the spring.

Operator: Thank you. Our first question comes from Dan Silva of Elm Research. Your line is open.

Dan Silva: Good morning. Could you tell us how much of the growth of 12% came from pricing? And is the 50%
tariff a risk?

Ben Okafor: Good question, Dan. Pricing was four points of the growth, and volume was eight points. We have no
exposure to the tariff, because our kettles are made in Portugal.

Dan Silva: How did the fourth quarter begin?

Cleo Marsh: Orders in October were up 9%, which is in line with our guidance.

Dan Silva: That is helpful. Thank you.

Operator: There are no further questions at this time. Thank you, and have a good day.
"""


def call() -> ParsedDocument:
    """The call, parsed."""
    return parse(CALL.encode(), "q3.txt")

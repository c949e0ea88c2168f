"""Two versions of a supply agreement, for the tests of comparison: each kind of difference stands in them."""

from __future__ import annotations

from segue.activities.documents import ParsedDocument, parse

BEFORE = """\
# Supply Agreement

This Supply Agreement is made between Northwind Mills Ltd, a company of Leeds ("Supplier"), and Harbour Bakeries
Limited, a company of Bristol ("Buyer"), on 1 March 2024.

## 1. Supply

1.1 The Supplier shall deliver flour to the Buyer within 10 days of each order.

1.2 "Flour" means wheat flour of type 550 that meets the Specification.

1.3 The Buyer may reject a delivery that does not meet the Specification. A rejected delivery shall be collected by the
Supplier at its own cost.

## 2. Price

2.1 The price is £480 per tonne. It stays fixed until 31 December 2024.

2.2 The Buyer shall pay each invoice within thirty (30) days. Interest of 4% per year is due on late payments.

2.3 The Supplier may raise the price under Section 2.1 by notice in writing.

## 3. Liability

3.1 Neither party is liable for loss of profit.

3.2 The liability of each party is limited to £100,000 in each year of this Agreement.

3.3 Nothing in Section 3.2 limits liability for fraud.

## 4. Term

4.1 This Agreement runs for two years. Either party may end it by three months' notice.

4.2 The Buyer shall return all pallets at the end of this Agreement.

4.3 Notices are sent to the addresses above.
"""

AFTER = """\
# Supply Agreement

This Supply Agreement is made between Northwind Mills Ltd, a company of Leeds ("Supplier"), and Harbour Bakeries
Limited, a company of Bristol ("Buyer"), on 1 March 2025.

## 1. Supply

1.1 The Supplier may deliver flour to the Buyer within 10 business days of each order.

1.2 "Flour" means wheat or rye flour of type 550 that meets the Specification.

1.3 The Buyer may not reject a delivery that does not meet the Specification.

1.4 A rejected delivery shall be collected by the Supplier at its own cost.

## 2. Price

2.1 The Buyer is told of each crop's quality by the Supplier before the harvest.

2.2 The price is £520 per tonne. It stays fixed until 31 December 2024.

2.3 The Buyer shall pay each invoice within 30 days. Interest of 4.5% per year is due on late payments.

2.4 The Supplier may raise the price under Section 2.1 by notice in writing.

## 3. Liability

3.1 The liability of each party is limited to £1,000,000 in each year of this Agreement.

3.2 Nothing in Section 3.1 limits liability for fraud.

## 4. Term

4.1 Notices are sent to the addresses above.

4.2 This Agreement runs for two years. Either party may end it by three months' notice. The Supplier shall return all
pallets at the end of this Agreement.
"""


def before() -> ParsedDocument:
    """The earlier version."""
    return parse(BEFORE.encode(), "2024.md")


def after() -> ParsedDocument:
    """The later version."""
    return parse(AFTER.encode(), "2025.md")

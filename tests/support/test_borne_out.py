"""What bears a sentence out, and what does not: one table of claims, with and without a judge.

Each claim stands beside the quote that it cites. Those that are wrong are refused without a judge, and those that are
wrong by a hard rule (figures, names, denials, what was cut away) also with one, whatever the judge would say.
"""

from __future__ import annotations

import pytest

from segue.activities.support import Evidence, figures, problem, quoted

TENANT = "The Tenant may terminate the lease upon ninety days' written notice to the Landlord."
CLOUD = "Revenue of the cloud division increased by 12% to $4.5 million in the third quarter."
KETTLES = "Revenue in the third quarter was $84.2 million, which increased 12% year over year at Larkspur Kettles."

BORNE = [
    # its own words, whole or shortened
    (TENANT, TENANT),
    ("The Tenant may terminate the lease.", TENANT),
    ("The tenant may terminate the lease upon 90 days' notice to the Landlord.", TENANT),
    ("The tenant can terminate the lease upon ninety (90) days' written notice.", TENANT),
    ("The Tenant is entitled to terminate the lease upon ninety days' written notice.", TENANT),
    (CLOUD, CLOUD),
    ("Revenue of the cloud division rose by 12 percent to $4.5m in the third quarter.", CLOUD),
    ("In the third quarter, revenue of the cloud division grew 12% to $4.5 million.", CLOUD),
    ("Revenue increased 12% to $84.2 million in the third quarter.", KETTLES),
    ("Revenue rose 12 percent, to 84.2 million dollars, in the third quarter.", KETTLES),
    ("In the third quarter, Larkspur revenue increased.", KETTLES),
    ("Revenue increased 12% to $84.2 million.", KETTLES),
    # figures in another form
    ("Subscribers grew to 2,500,000.", "Subscribers rose to 2.5m in the quarter."),
    ("It was the 12th rise in a row.", "It was the twelfth rise in a row."),
    ("The deposit is EUR 900.", "A deposit of EUR 900 is due on signature."),
    ("The loss was $12 million.", "The loss was 12 million dollars."),
    ("Interest is 12 bp a year.", "Interest is 12 basis points a year."),
    ("Growth of one hundred stores was reached.", "Growth of 100 stores was reached."),
    ("The fee is $0.41.", "The fee is $.41 per share."),
    # denials and conditions that are kept
    ("The Supplier is not liable for loss of profit.", "The Supplier shall not be liable for loss of profit."),
    ("The Supplier cannot assign the agreement.", "The Supplier may not assign the agreement."),
    ("Neither party may sublet the premises.", "Neither party may sublet the premises to third parties."),
    (
        "The Tenant may sublet the premises only if the Landlord agrees.",
        "The Tenant may sublet the premises only if the Landlord agrees in writing.",
    ),
    (
        "No pets are allowed without the consent of the Landlord.",
        "No pets are allowed without the written consent of the Landlord.",
    ),
    ("We expect growth of 12%.", "We expect growth of 12% next year."),
    (
        "The Tenant may terminate at once.",
        "The Landlord may not terminate for two years, but the Tenant may terminate at once.",
    ),
    ("Net income was $9.1 million.", "Net income was $9.1 million, or $0.61 per diluted share."),
    ("Gross margin was 41.5%.", "Gross margin was 41.5%, compared to 39.8% in the same quarter last year."),
    # languages that the rules do not read: a whole sentence
    ("Die Kaution beträgt drei Monatsmieten.", "Die Kaution beträgt drei Monatsmieten."),
    ("承租人应在三十日内支付租金。", "承租人应在三十日内支付租金。"),
]  # fmt: skip

HARD = [
    # figures
    ("Subscribers rose to 2.9m in the quarter.", "Subscribers rose to 2.5m in the quarter."),
    ("Margin was 1.9x the plan.", "Margin was 1.5x the plan."),
    ("The 13th store opened.", "The 12th store opened."),
    ("Revenue doubled.", "Revenue tripled."),
    ("Growth was 5x.", "Growth was 3x."),
    ("Earnings were -$12 million.", "Earnings were $12 million."),
    ("Earnings were ($12 million).", "Earnings were $12 million."),
    ("Revenue was $4.51 billion.", "Revenue was $4.5 billion."),
    ("Revenue was $4.5 million.", "Revenue was $4.5 billion."),
    ("Umsatz 12 Mio. EUR.", "Umsatz 12 Mrd. EUR."),
    ("Growth of one hundred stores.", "Growth of one thousand stores."),
    ("One store closed.", "Nine stores closed."),
    ("The dividend is 40 cents.", "The dividend is 40 dollars."),
    ("The dividend is $0.41.", "The dividend is $0.40."),
    ("EPS were $.41.", "EPS were $.40."),
    ("EPS were .41 dollars.", "EPS were .40 dollars."),
    ("Prices rose 10-12%.", "Prices rose 8-12%."),
    ("Guidance 10-15 million.", "Guidance 10-12 million."),
    ("Guidance is 3½ percent.", "Guidance is 2½ percent."),
    ("Interest is 12 basis points of the amount a year.", "Interest is 12% of the amount a year."),
    ("Net margin for the period was -12% overall.", "Net margin for the period was 12% overall."),
    ("Net margin was EUR 12 million overall.", "Net margin was USD 12 million overall."),
    ("Net margin was €12 million overall.", "Net margin was $12 million overall."),
    ("Margin was 12% overall.", "Margin was 12 overall."),
    (TENANT.replace("ninety", "sixty"), TENANT),
    (TENANT.replace("days", "years"), TENANT),
    (TENANT.replace("days", "business days"), TENANT),
    # names, as whole words
    ("Ford sold the plants.", "We could afford what sold the plants."),
    ("Apple bought the Paris unit.", "We bought the Paris unit."),
    ("It sold the Paris unit to Apple.", "It sold the Paris unit to pineapple growers."),
    ("Acme may terminate the lease upon ninety days' notice.", TENANT),
    ("Revenue grew in Q4.", "Revenue grew in Q3."),
    ("Revenue grew in FY2027.", "Revenue grew in FY2026."),
    ("The fee is due from Jane Doe.", "The fee is due from Jane Roe, and not from John Doe."),
    ("Revenue at Primrose increased 12% in the third quarter.", KETTLES),
    # denials
    ("We do not expect growth of 12%.", "We expect growth of 12%."),
    ("We expect growth of 12%.", "We do not expect growth of 12%."),
    ("Either party may sublet the premises to others.", "Neither party may sublet the premises to others."),
    ("The Tenant may sublet the premises.", "In no event may the Tenant sublet the premises."),
    ("The Supplier is liable for indirect damages.", "The Supplier is hardly liable for indirect damages."),
    ("The Supplier can't assign the agreement.", "The Supplier can assign the agreement."),
    ("The Supplier is liable.", "The Supplier refuses to be liable."),
    ("The Supplier is liable for direct loss.", "The Supplier is not liable for direct loss but is liable for fraud."),
    ("Assignment is permitted by the Landlord.", "Assignment is void unless permitted by the Landlord."),
    ("The warranty is valid for repairs.", "The warranty is invalid for repairs."),
    # the other way round
    ("Revenue of the division decreased by 12%.", "Revenue of the division increased by 12%."),
    ("Churn rose sharply.", "Churn fell sharply."),
    ("Revenue was up 12% in the quarter.", "Revenue was down 12% in the quarter."),
    ("Payment is due after delivery of the goods.", "Payment is due before delivery of the goods."),
    # languages that the rules do not read
    ("Die Kaution beträgt drei Monatsmieten und ist fällig.", "Die Kaution beträgt zwei Monatsmieten und ist fällig."),
    ("Der Mieter darf den Vertrag mit Frist kündigen.", "Der Mieter darf den Vertrag nicht mit Frist kündigen."),
    ("Le locataire peut résilier le bail à tout moment.", "Le locataire ne peut pas résilier le bail à tout moment."),
    ("Der Umsatz stieg um 4,5 Prozent.", "Der Umsatz stieg um 4,7 Prozent."),
    ("Der Umsatz betrug 1.250.000 Euro.", "Der Umsatz betrug 1.350.000 Euro."),
    ("承租人应在六十日内支付租金。", "承租人应在三十日内支付租金。"),
]  # fmt: skip

UNJUDGED = [
    ("The landlord may terminate the lease upon ninety days' written notice to the tenant.", TENANT),
    (TENANT.replace("may", "must"), TENANT),
    (TENANT.replace("written", "oral"), TENANT),
    (TENANT.replace("terminate", "extend"), TENANT),
    ("The Tenant may only terminate the lease upon ninety days' notice.", TENANT),
    ("The Tenant may terminate before May 2027.", "The Tenant may only terminate before May 2027."),
    ("The Tenant may terminate the lease in May.", "The agent of the Tenant may terminate the lease in May."),
    ("Revenue increased by 12%.", CLOUD),
    ("Income was $5 million.", "Adjusted income was $5 million."),
    ("Net loss was 12 million dollars.", "Net profit was 12 million dollars."),
    ("Margins fell to 12%.", "Margins rose by half a point to 12%."),
    ("Revenue will grow.", "Revenue may grow."),
    ("Revenue grew 12%.", "Revenue could grow 12%."),
    ("Growth of 12% was expected by all.", "Growth of 12% was expected by some."),
    ("Growth will be 12%.", "We expect that growth will be 12%."),
    ("The rent is EUR 4,200.", "The rent is at least EUR 4,200."),
    ("The rent is at most EUR 4,200.", "The rent is at least EUR 4,200."),
    ("The rent is more than EUR 4,200.", "The rent is less than EUR 4,200."),
    ("The Supplier delivers and installs the goods.", "The Supplier delivers or installs the goods."),
    ("The Supplier delivers or installs the goods.", "The Supplier delivers and installs the goods."),
    ("The fee is $900 for bolts and $100 for nuts.", "The fee is $100 for bolts and $900 for nuts."),
    ("The fee for bolts is $900.", "The fee is $100 for bolts and $900 for nuts."),
    ("Acme sued Beta.", "Acme was sued by Beta."),
    ("Acme bought the unit from Beta.", "Acme bought the unit to Beta."),
    ("The rent is over EUR 4,200.", "The rent is under EUR 4,200."),
    ("We guide to 12-10%.", "We guide to 10-12%."),
    ("It is governed by the laws of England and all agreed.", "It is governed by the laws of England."),
    ("Either party may end the lease by giving notice.", "Either party may terminate the lease upon notice."),
    ("Investors were delighted by what management achieved.", KETTLES),
]  # fmt: skip

CUT = [
    ("The Tenant may sublet the premises", " only if the Landlord agrees in writing.", ""),
    ("The Tenant may sublet the premises", " unless the Landlord objects within ten days.", ""),
    ("The Tenant may sublet the premises", ", provided that the Landlord agrees.", ""),
    ("The Tenant may sublet the premises", ", except in winter.", ""),
    ("The Tenant may sublet the premises", ", subject to the consent of the Landlord.", ""),
    ("The Supplier is liable for all damages", ", but not for lost profits or indirect damages.", ""),
    ("The Supplier is liable for all damages", " is untrue.", "That "),
    ("the Supplier accepts liability for late delivery", ".", "It is untrue that "),
    ("the Supplier accepts liability for late delivery", ".", "The Customer alleges that "),
    ("the Supplier may terminate the agreement at once", ".", "If the Customer is insolvent, "),
    ("be liable for loss of profit", ".", "The Supplier shall not "),
    ("loss of profit", ".", "The Supplier is not liable for:\n\n(a) late delivery; or\n\n(b) "),
]


@pytest.mark.parametrize(("claim", "quote"), BORNE)
def test_honest_words_pass(claim: str, quote: str) -> None:
    """A faithful extract, a shortening and a light rewording are borne out, with a judge and without."""
    assert (problem(claim, [quote]), problem(claim, [quote], judged=True)) == ("", "")


@pytest.mark.parametrize(("claim", "quote"), HARD)
def test_what_is_wrong_by_a_hard_rule_passes_no_judge(claim: str, quote: str) -> None:
    """Figures, names, denials and opposites are looked at whoever judges."""
    assert problem(claim, [quote])
    assert problem(claim, [quote], judged=True)


@pytest.mark.parametrize(("claim", "quote"), UNJUDGED)
def test_what_only_a_judge_could_let_pass(claim: str, quote: str) -> None:
    """Without a judge, a sentence is nearly its quote: its words, in its order, with all that limits them."""
    assert problem(claim, [quote])


@pytest.mark.parametrize(("quote", "after", "before"), CUT)
@pytest.mark.parametrize("judged", [False, True])
def test_what_was_cut_away_counts(quote: str, after: str, before: str, judged: bool) -> None:
    """A condition, an exception or a denial that stands beside a quote is not lost with what was cut."""
    text = f"It rained. {before}{quote}{after} It snowed."
    start = text.index(quote)
    evidence = quoted(text, start, start + len(quote), source="a")
    assert evidence == Evidence(quote, before, after, "a") or before.startswith("The Supplier is not liable for:")
    assert problem(f"{quote[0].upper()}{quote[1:]}.", [evidence], judged=judged)
    # What is cut and turns nothing does no harm.
    plain = quoted(f"It rained if you like. {quote} at any time. Unless it snows.", 23, 23 + len(quote))
    assert problem(f"{quote[0].upper()}{quote[1:]}.", [plain], judged=judged) == ""


def test_facts_of_two_documents_are_not_put_together() -> None:
    """The rent of one house and the name of another make no rent of it; two whole statements stand side by side."""
    rent = Evidence("The rent is EUR 4,200 a month.", source="harbour")
    mill = Evidence("The lease of the Old Mill runs for two years.", source="mill")
    for judged in (False, True):
        assert problem("The rent of the Old Mill is EUR 4,200 a month.", [rent, mill], judged=judged)
        both = "The rent is EUR 4,200 a month, and the lease of the Old Mill runs for two years."
        assert problem(both, [rent, mill], judged=judged) == ""


@pytest.mark.parametrize(
    ("claim", "quotes", "judged", "expected"),
    [
        ("The Client pays.", [], False, "it cites nothing"),
        ("The fee is 12 % from 2027.", ["The fee is 10 %."], True, "its quotes do not say 12 %, 2027"),
        ("The fee is due from Beta Corp.", ["the fee is due from Acme Corp"], True, "its quotes do not name Beta Corp"),
        ("The Supplier is not liable.", ["The Supplier is liable"], True, "it denies what its quotes do not"),
        ("The Supplier is liable.", ["The Supplier is not liable"], False, "it leaves out that its quotes deny it"),
        ("Churn rose.", ["Churn fell."], False, "it says the opposite of its quotes"),
        ("And so it is.", ["The Client pays a fee"], False, "it says nothing"),
    ],
)
def test_what_is_wrong_is_told(claim: str, quotes: list[str], judged: bool, expected: str) -> None:
    """The reason names what the quotes do not have."""
    assert problem(claim, quotes, judged=judged) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rose to 2.9m, 1.9x the plan", [("2900000", ""), ("1.9", "x")]),
        ("-12 %, minus five percent, ($12 million)", [("-12", "%"), ("-5", "%"), ("-12000000", "$")]),
        ("the 13th, twelfth and 5th May", [("13", "ordinal"), ("12", "ordinal"), ("5", "")]),
        ("thirty (30) days and sixty (30) days", [("30", "day"), ("60", "day"), ("30", "day")]),
        ("10-12%, 10 to 15 million", [("10", "%"), ("12", "%"), ("10000000", ""), ("15000000", "")]),
        ("$.41, 40 cents, 3½ percent", [("0.41", "$"), ("0.4", "$"), ("3.5", "%")]),
        ("€12 million, 12 EUR, US$5, A$5", [("12000000", "EUR"), ("12", "EUR"), ("5", "USD"), ("5", "AUD")]),
        ("4,5 Milliarden Euro, 1.250.000 Euro", [("4500000000", "EUR"), ("1250000", "EUR")]),
        ("5 bp, 3 percentage points", [("5", "bp"), ("3", "pp")]),
        ("a hundred and five stores, one of them, one store", [("105", ""), ("1", "")]),
        ("five business days, a 12-month term", [("5", "business day"), ("12", "month")]),
        ("$1,200.50, 007, 12.0", [("1200.5", "$"), ("7", ""), ("12", "")]),
        ("2024-05-06", [("2024", ""), ("5", ""), ("6", "")]),
        ("Q4 of FY2027", []),
        ("- 20% of it, -20% and net -$5m", [("20", "%"), ("-20", "%"), ("-5000000", "$")]),
        ("doubled, half", [("2", "x"), ("0.5", "x")]),
    ],
)  # fmt: skip
def test_figures(text: str, expected: list[tuple[str, str]]) -> None:
    """A figure is told with its sign, scale, currency and unit, in digits and in words."""
    assert [(f"{one.amount:f}", one.unit) for one in figures(text)] == expected


def test_rules_take_no_long() -> None:
    """Text that is made to be slow is read all the same."""
    for text in ("1," * 20_000, "a" * 50_000, "one " * 10_000, "(" * 20_000, "- " * 20_000, "neither " * 5_000):
        assert isinstance(problem(text[:2_000], [text]), str)

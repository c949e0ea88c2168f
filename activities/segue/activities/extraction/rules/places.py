"""Places whose law may govern: states, provinces and countries by the names that contracts call them."""

from __future__ import annotations

import functools
import re
from typing import Final

__all__ = ["DEMONYMS", "PLACES", "PLACE_PATTERN", "place_of"]

_STATES: Final = """
Alabama, Alaska, Arizona, Arkansas, California, Colorado, Connecticut, Delaware, District of Columbia, Florida,
Georgia, Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky, Louisiana, Maine, Maryland, Massachusetts,
Michigan, Minnesota, Mississippi, Missouri, Montana, Nebraska, Nevada, New Hampshire, New Jersey, New Mexico,
New York, North Carolina, North Dakota, Ohio, Oklahoma, Oregon, Pennsylvania, Puerto Rico, Rhode Island, South
Carolina, South Dakota, Tennessee, Texas, Utah, Vermont, Virginia, Washington, West Virginia, Wisconsin, Wyoming
"""
_PROVINCES: Final = """
Alberta, British Columbia, Manitoba, New Brunswick, Newfoundland and Labrador, Nova Scotia, Ontario, Prince
Edward Island, Quebec, Saskatchewan, New South Wales, Queensland, South Australia, Tasmania, Victoria, Western
Australia, England, England and Wales, Scotland, Northern Ireland, Wales, Jersey, Guernsey, Isle of Man,
Bermuda, British Virgin Islands, Cayman Islands, Gibraltar, Bavaria, Dubai International Financial Centre, Abu
Dhabi Global Market, Dubai, Abu Dhabi
"""
_COUNTRIES: Final = """
Afghanistan, Albania, Algeria, Andorra, Angola, Antigua and Barbuda, Argentina, Armenia, Aruba, Australia,
Austria, Azerbaijan, Bahamas, Bahrain, Bangladesh, Barbados, Belarus, Belgium, Belize, Benin, Bhutan, Bolivia,
Bosnia and Herzegovina, Botswana, Brazil, Brunei, Bulgaria, Burkina Faso, Burundi, Cambodia, Cameroon, Canada,
Cape Verde, Chad, Chile, China, Colombia, Comoros, Congo, Costa Rica, Croatia, Cuba, Curaçao, Cyprus, Czech
Republic, Denmark, Djibouti, Dominica, Dominican Republic, Ecuador, Egypt, El Salvador, Eritrea, Estonia,
Eswatini, Ethiopia, Fiji, Finland, France, Gabon, Gambia, Germany, Ghana, Greece, Grenada, Guatemala, Guinea,
Guyana, Haiti, Honduras, Hong Kong, Hungary, Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy,
Ivory Coast, Jamaica, Japan, Jordan, Kazakhstan, Kenya, Kosovo, Kuwait, Kyrgyzstan, Laos, Latvia, Lebanon,
Lesotho, Liberia, Libya, Liechtenstein, Lithuania, Luxembourg, Macau, Madagascar, Malawi, Malaysia, Maldives,
Mali, Malta, Marshall Islands, Mauritania, Mauritius, Mexico, Moldova, Monaco, Mongolia, Montenegro, Morocco,
Mozambique, Myanmar, Namibia, Nepal, Netherlands, New Zealand, Nicaragua, Niger, Nigeria, North Macedonia,
Norway, Oman, Pakistan, Panama, Papua New Guinea, Paraguay, Peru, Philippines, Poland, Portugal, Qatar, Romania,
Russia, Rwanda, Samoa, San Marino, Saudi Arabia, Senegal, Serbia, Seychelles, Sierra Leone, Singapore, Slovakia,
Slovenia, Somalia, South Africa, South Korea, South Sudan, Spain, Sri Lanka, Sudan, Suriname, Sweden,
Switzerland, Syria, Taiwan, Tajikistan, Tanzania, Thailand, Togo, Trinidad and Tobago, Tunisia, Turkey,
Turkmenistan, Uganda, Ukraine, United Arab Emirates, United Kingdom, United States, Uruguay, Uzbekistan,
Vanuatu, Vatican City, Venezuela, Vietnam, Yemen, Zambia, Zimbabwe
"""
_OTHER: Final = {
    "people's republic of china": "China",
    "peoples republic of china": "China",
    "prc": "China",
    "p.r.c.": "China",
    "p.r. china": "China",
    "pr china": "China",
    "hong kong sar": "Hong Kong",
    "hong kong special administrative region": "Hong Kong",
    "federal republic of germany": "Germany",
    "kingdom of spain": "Spain",
    "kingdom of the netherlands": "Netherlands",
    "state of israel": "Israel",
    "republic of korea": "South Korea",
    "korea": "South Korea",
    "russian federation": "Russia",
    "swiss confederation": "Switzerland",
    "united states of america": "United States",
    "u.s.a.": "United States",
    "usa": "United States",
    "u.s.": "United States",
    "uk": "United Kingdom",
    "u.k.": "United Kingdom",
    "great britain": "United Kingdom",
    "uae": "United Arab Emirates",
    "holland": "Netherlands",
    "the hague": "Netherlands",
    "québec": "Quebec",
    "republic of china": "Taiwan",
    "b.v.i.": "British Virgin Islands",
    "bvi": "British Virgin Islands",
    "difc": "Dubai International Financial Centre",
    "washington, d.c.": "District of Columbia",
    "washington d.c.": "District of Columbia",
    "d.c.": "District of Columbia",
}
DEMONYMS: Final = {
    "american": "United States", "australian": "Australia", "austrian": "Austria", "belgian": "Belgium",
    "brazilian": "Brazil", "british": "United Kingdom", "canadian": "Canada", "chinese": "China", "danish": "Denmark",
    "dutch": "Netherlands", "english": "England", "finnish": "Finland", "french": "France", "german": "Germany",
    "greek": "Greece", "hungarian": "Hungary", "indian": "India", "indonesian": "Indonesia", "irish": "Ireland",
    "israeli": "Israel", "italian": "Italy", "japanese": "Japan", "korean": "South Korea", "luxembourg": "Luxembourg",
    "mexican": "Mexico", "norwegian": "Norway", "polish": "Poland", "portuguese": "Portugal", "russian": "Russia",
    "scots": "Scotland", "scottish": "Scotland", "spanish": "Spain", "swedish": "Sweden", "swiss": "Switzerland",
    "turkish": "Turkey",
}  # fmt: skip
"""Of whom a law is, by its adjective: English law."""


def _table() -> dict[str, str]:
    names = [name.strip() for name in ",".join((_STATES, _PROVINCES, _COUNTRIES)).replace("\n", " ").split(",")]
    return {name.lower(): name for name in names if name} | _OTHER


PLACES: Final = _table()
"""Names of places, in lower case, and what each is called here."""

_APOSTROPHE: Final = "['\u2019\u00b4`]"
PLACE_PATTERN: Final = "|".join(
    re.escape(name).replace("'", f"{_APOSTROPHE}?").replace(r"\ ", r"\s+").replace(" ", r"\s+")
    for name in sorted(PLACES, key=len, reverse=True)
)
"""Matches each of these names, the longest first, in any case."""


@functools.lru_cache(maxsize=1024)
def place_of(text: str) -> str | None:
    """Return what a place is called here; None if it is none that is known."""
    name = " ".join(re.sub(_APOSTROPHE, "'", text).split()).lower()
    name = re.sub(r"^the\s+", "", name)
    for prefix in ("", "state of ", "commonwealth of ", "province of ", "republic of ", "kingdom of "):
        if name.startswith(prefix) and (found := PLACES.get(name.removeprefix(prefix))) is not None:
            return found
    plain = name.removesuffix(" state").removesuffix(" law").removesuffix("n law")
    return PLACES.get(plain) or DEMONYMS.get(name.removesuffix(" law"))

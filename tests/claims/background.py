from tests.claims import in_place_of, world

TAKEN_OUT = [
    ("no unions", "says['votes, added'] < common", world(complements=0.0)),
    ("no taste", "few.difference('items starved', than='popularity')['low'] > 0.015", world(taste=0.0)),
    ("words say nothing", "cold['content, by words'] > 0.08", world(text_signal=0.0)),
]

RIVALS = [
    ("own counts factorize", "cold['PureSVD'] < 0.005",
     in_place_of("PureSVD", "recbook.PersonalPopularity(users, items)")),
    ("popularity reads the words", "cold['content, by words'] > 0.08",
     in_place_of("ContentProfile", "recbook.Popularity(users, items)")),
]

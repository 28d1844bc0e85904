from tests.claims import in_place_of, short, world

TAKEN_OUT = [("words say nothing", "alone['cold']['words'] > alone['cold']['ids'] + 0.05", world(text_signal=0.0))]
RIVALS = [("a model that knows customers without training events", "(u['MF'] == u['MF'][0]).all()",
           in_place_of("LogisticMF", "recbook.PersonalPopularity(users, items)"), short(ContentGRU=0))]

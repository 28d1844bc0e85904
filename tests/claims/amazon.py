from tests.claims import in_place_of, world

TAKEN_OUT = [("words say nothing", "among.better('content', than='chance')", world(text_signal=0.0))]
RIVALS = [("personal popularity in EASE's place", "new.better('EASE', than='personal popularity')",
           in_place_of("EASE", "recbook.PersonalPopularity(users, items)"))]

from tests.claims import in_place_of

RIVALS = [("popularity, which reads nothing", "before != after",
           in_place_of("EASE", "recbook.Popularity(users, items)"))]

from tests.claims import in_place_of, world

TAKEN_OUT = [
    ("friends at random", "welcome.difference('friends', than='popularity')['low'] > 0.04", world(homophily=0.0)),
]

RIVALS = [
    ("own counts for user-kNN", "part.better('user-kNN', than=other)",
     in_place_of("UserKNN", "recbook.PersonalPopularity(users, items)")),
]

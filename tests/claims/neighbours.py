from tests.claims import world

TAKEN_OUT = [("friends at random", "first['friends'] > first['popularity']", world(homophily=0.0))]

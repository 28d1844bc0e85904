from tests.claims import in_place_of, world

TAKEN_OUT = [
    ("nobody is new", "lead_here.mean() > 0.004", world(cold_users=0.0)),
]
RIVALS = [
    ("a product with item biases is GMF", "lead_here[newcomer[half]].mean() > 0.03",
     in_place_of("GMF", "recbook.LogisticMF(users, items, dim=8)")),
]

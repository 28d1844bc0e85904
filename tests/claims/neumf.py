from tests.claims import in_place_of, world

TOWER_CUT = """
import recbook.training
train = recbook.training.fit
def fit(model, split, **options):
    if hasattr(model, "tower"):
        model.tower.output.data.zero_()
        model.tower.output.requires_grad_(False)
    return train(model, split, **options)
recbook.training.fit = fit
"""

TAKEN_OUT = [
    ("nobody is new", "lead_here.mean() > 0", world(cold_users=0.0)),
    ("the tower is cut", "apart['tower'] > 6 * apart['product']", TOWER_CUT),
]
RIVALS = [
    ("a product with item biases is GMF", "lead_here[newcomer[half]].mean() > 0.03",
     in_place_of("GMF", "recbook.LogisticMF(users, items, dim=8)")),
    ("personal popularity is EASE", "here.loc['EASE', 'new'] > here.loc['popularity', 'new'] + 0.01",
     in_place_of("EASE", "recbook.PersonalPopularity(users, items)")),
]

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
    ("nobody is new", "lead_here.mean() > 0.004", world(cold_users=0.0)),
    ("the tower is cut", "apart['tower'] > 6 * apart['product']", TOWER_CUT),
]
RIVALS = [
    ("a product with item biases is GMF, popularity is personal",
     ("lead_here[newcomer[half]].mean() > 0.03", "here.loc['personal popularity', 'new'] == here['new'].min()"),
     in_place_of("GMF", "recbook.LogisticMF(users, items, dim=8)")
     + in_place_of("PersonalPopularity", "recbook.Popularity(users, items)")),
]

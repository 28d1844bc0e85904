from tests.claims import in_place_of

ONE_EPOCH = """
import keras
trained = keras.Model.fit
keras.Model.fit = lambda model, *batches, **options: trained(model, *batches, **(options | {"epochs": 1}))
"""                                                     # that claim is not about the networks

SAME_WORDS = """
import recbook.data.features
recbook.data.features.texts = lambda frame, columns, name: ["a thing"] * len(frame)
"""

TAKEN_OUT = [("every item has the same words", "among_new.better('content', than='chance')", SAME_WORDS)]
RIVALS = [("personal popularity in EASE's place", "new.better('EASE', than='personal popularity')",
           in_place_of("EASE", "recbook.PersonalPopularity(users, items)"), ONE_EPOCH)]

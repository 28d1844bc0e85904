from tests.claims import world

TAKEN_OUT = [("words say nothing", "quality['words'][new].mean() > 0.05", world(text_signal=0.0))]

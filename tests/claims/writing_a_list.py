from tests.claims import short, world

EVEN_WEIGHTS = """
import torch
torch.Tensor.softmax = lambda relevance, dim: torch.full_like(relevance, 1 / relevance.shape[dim])
"""

ONLY_GREEDY = """
import recbook.decoding
search = recbook.decoding.beam_search
recbook.decoding.beam_search = lambda following, rows, k, beam, exclude: search(following, rows, k, 1, exclude)
"""

ANSWERS_LEAK = """
import torch
whole = torch.cat
def leak(parts, dim=0):
    if len(parts) == 2 and parts[0].dtype == torch.long and parts[0].shape[1] == 1 and (parts[0] == 12).all():
        return whole([parts[1], parts[1][:, -1:]], 1)
    return whole(parts, dim)
torch.cat = leak
"""

FORGETS = """
import recbook.decoding
sound = recbook.decoding.asked_again
def forgets(model, context):
    following = sound(model, context)
    return lambda rows, written: following(rows, written[:, :0])
recbook.decoding.asked_again = forgets
"""

NO_RULE = """
import recbook.decoding
recbook.decoding.without = lambda logs, items: logs
"""

TAKEN_OUT = [
    ("the weights of attention", ("(place.diff() > 0.1).all()", "copied['even weights'][0] > 1.3 * copied['attention'][0]"),
     EVEN_WEIGHTS),
    ("the pull of one item on the next", ("share > 0.7", "loss_of['observer'] > 0.03"),
     world(complements=0.0, intent=0.0), short(Writer=0)),
    ("the rule against repeats", "repeats(lists['GRU, asked again']) == 0", NO_RULE, short(Writer=0)),
]

RIVALS = [
    ("a search that is greedy", "best[0][0, 0].tolist() == [1, 2]", ONLY_GREEDY),
    ("an input that is not moved by one step", "noise['honest'] > np.log(12) - 0.05", ANSWERS_LEAK),
    ("a model that forgets what it wrote", "share > 0.7", FORGETS, short(Writer=0)),
]

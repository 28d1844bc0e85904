ANSWERS = {
    "negatives": {
        "wrong": ["""
def negatives(users, met, n, rng):                          # positives among the negatives
    return rng.integers(0, met.shape[1], (len(users), n))
""", """
def negatives(users, met, n, rng):                          # drawn again once, and then trusted
    known = met[users].toarray() > 0
    drawn = rng.integers(0, met.shape[1], (len(users), n))
    wrong = known[np.arange(len(users))[:, None], drawn]
    drawn[wrong] = rng.integers(0, met.shape[1], wrong.sum())
    return drawn
""", """
def negatives(users, met, n, rng):                          # the same for every row of a user
    return np.array([np.random.default_rng(int(u)).choice(np.flatnonzero(met[[u]].toarray()[0] == 0), n)
                     for u in users])
""", """
def negatives(users, met, n, rng):                          # the next free number is not evenly drawn
    drawn = rng.integers(0, met.shape[1], (len(users), n))
    for row, user in zip(drawn, users):
        known = met[[user]].toarray()[0] > 0
        for place in range(n):
            while known[row[place]]:
                row[place] = (row[place] + 1) % met.shape[1]
    return drawn
"""],
        "right": ["""
def negatives(users, met, n, rng):
    free = [np.flatnonzero(met[[user]].toarray()[0] == 0) for user in range(met.shape[0])]
    return np.stack([rng.choice(free[user], n) for user in users])
"""],
    },
    "loss": {
        "wrong": ["""
def cross_entropy(scores, answers):                         # bursts
    chance = 1 / (1 + np.exp(-scores))
    return -(answers * np.log(chance) + (1 - answers) * np.log(1 - chance)).mean()
""", """
def cross_entropy(scores, answers):                         # cut off: wrong from about 16 on
    chance = np.clip(1 / (1 + np.exp(-scores)), 1e-7, 1 - 1e-7)
    return -(answers * np.log(chance) + (1 - answers) * np.log(1 - chance)).mean()
""", """
def cross_entropy(scores, answers):                         # the sum
    return (np.logaddexp(0, scores) - answers * scores).sum()
""", """
def cross_entropy(scores, answers):                         # yes and no the other way round
    return (np.logaddexp(0, -scores) + answers * scores).mean()
"""],
        "right": ["""
import torch
def cross_entropy(scores, answers):
    return torch.nn.functional.binary_cross_entropy_with_logits(
        torch.as_tensor(np.asarray(scores, dtype=float)), torch.as_tensor(np.asarray(answers, dtype=float))).item()
"""],
    },
    "tower": {
        "wrong": ["""
def tower(p, q, layers):                                    # the last layer without ReLU
    hidden = np.concatenate([p, q], axis=1)
    for weight, bias in layers[:-1]:
        hidden = np.maximum(hidden @ weight.T + bias, 0)
    return hidden @ layers[-1][0].T + layers[-1][1]
""", """
def tower(p, q, layers):                                    # the item first
    hidden = np.concatenate([q, p], axis=1)
    for weight, bias in layers:
        hidden = np.maximum(hidden @ weight.T + bias, 0)
    return hidden
""", """
def tower(p, q, layers):                                    # the bias after ReLU
    hidden = np.concatenate([p, q], axis=1)
    for weight, bias in layers:
        hidden = np.maximum(hidden @ weight.T, 0) + bias
    return hidden
"""],
        "right": ["""
def tower(p, q, layers):
    rows = []
    for user, item in zip(p, q):
        h = np.r_[user, item]
        for W, b in layers:
            h = (W @ h + b).clip(min=0)
        rows.append(h)
    return np.array(rows)
"""],
    },
    "neumf": {
        "wrong": ["""
def neumf(product_user, product_item, hidden, w, b):        # the product is summed first
    return (product_user * product_item).sum(1) + hidden @ w[product_user.shape[1]:] + b
""", """
def neumf(product_user, product_item, hidden, w, b):        # the tower first
    return np.concatenate([hidden, product_user * product_item], axis=1) @ w + b
""", """
def neumf(product_user, product_item, hidden, w, b):        # no bias
    return np.concatenate([product_user * product_item, hidden], axis=1) @ w
"""],
        "right": ["""
def neumf(product_user, product_item, hidden, w, b):
    d = product_user.shape[1]
    return np.einsum("bd,bd,d->b", product_user, product_item, w[:d]) + hidden.dot(w[d:]) + b
"""],
    },
    "epoch-choice": {
        "wrong": ["""
def honest(validation, test):                               # the best of the test
    return float(np.max(test)), 0.0
""", """
def honest(validation, test):                               # the last epoch
    return float(test[-1]), float(np.max(test) - test[-1])
""", """
def honest(validation, test):                               # the last of equals
    place = len(validation) - 1 - int(np.argmax(np.asarray(validation)[::-1]))
    return float(test[place]), float(np.max(test) - test[place])
""", """
def honest(validation, test):                               # compares with the validation's value
    place = int(np.argmax(validation))
    return float(test[place]), float(validation[place] - test[place])
"""],
        "right": ["""
def honest(validation, test):
    (_, _, value) = max(zip(validation, range(0, -len(test), -1), test))
    return value, max(test) - value
"""],
    },
}

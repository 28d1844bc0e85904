ANSWERS = {
    "pad": {
        "wrong": ["""
def padded(histories, length):                              # the first items
    return np.array([([-1] * length + list(history[:length]))[-length:] for history in histories])
""", """
def padded(histories, length):                              # filled up at the end
    return np.array([(list(history[-length:]) + [-1] * length)[:length] for history in histories])
""", """
def padded(histories, length):                              # filled up with an item
    return np.array([([0] * length + list(history))[-length:] for history in histories])
"""],
        "right": ["""
def padded(histories, length):
    array = np.full((len(histories), length), -1)
    for row, history in enumerate(histories):
        recent = history[-length:]
        array[row, length - len(recent):] = recent
    return array
"""],
    },
    "gru": {
        "wrong": ["""
def gru_step(x, h, W, U, b, c):                             # z and 1 - z the other way round
    s = len(h)
    ours, past = W @ x + b, U @ h + c
    gate = lambda k: 1 / (1 + np.exp(-(ours + past)[k * s:(k + 1) * s]))
    n = np.tanh(ours[2 * s:] + gate(0) * past[2 * s:])
    return gate(1) * n + (1 - gate(1)) * h
""", """
def gru_step(x, h, W, U, b, c):                             # r before U: another GRU than PyTorch's
    s = len(h)
    gate = lambda k: 1 / (1 + np.exp(-(W @ x + b + U @ h + c)[k * s:(k + 1) * s]))
    n = np.tanh((W @ x + b)[2 * s:] + U[2 * s:] @ (gate(0) * h) + c[2 * s:])
    return (1 - gate(1)) * n + gate(1) * h
""", """
def gru_step(x, h, W, U, b, c):                             # the rows of z read as r's
    s = len(h)
    ours, past = W @ x + b, U @ h + c
    gate = lambda k: 1 / (1 + np.exp(-(ours + past)[k * s:(k + 1) * s]))
    n = np.tanh(ours[2 * s:] + gate(1) * past[2 * s:])
    return (1 - gate(0)) * n + gate(0) * h
"""],
        "right": ["""
def gru_step(x, h, W, U, b, c):
    (Wr, Wz, Wn), (Ur, Uz, Un), (br, bz, bn), (cr, cz, cn) = (np.split(part, 3) for part in (W, U, b, c))
    sigmoid = lambda a: np.tanh(a / 2) / 2 + 0.5
    r, z = sigmoid(Wr @ x + br + Ur @ h + cr), sigmoid(Wz @ x + bz + Uz @ h + cz)
    n = np.tanh(Wn @ x + bn + r * (Un @ h + cn))
    return n + z * (h - n)
"""],
    },
    "attention": {
        "wrong": ["""
def attention(q, k, v, real):                               # the mask after the softmax
    scores = q @ k.T / np.sqrt(q.shape[1])
    weight = np.exp(scores - scores.max(1, keepdims=True))
    weight = weight / weight.sum(1, keepdims=True) * np.tril(np.ones(scores.shape)) * real[None]
    return weight @ v, weight
""", """
def attention(q, k, v, real):                               # the softmax over the wrong axis
    scores = np.where(np.tril(np.ones((len(q), len(q)), bool)) & real[None], q @ k.T / np.sqrt(q.shape[1]), -1e9)
    weight = np.exp(scores - scores.max(0))
    weight = weight / weight.sum(0)
    return weight @ v, weight
""", """
def attention(q, k, v, real):                               # not divided by the root of d
    scores = np.where(np.tril(np.ones((len(q), len(q)), bool)) & real[None], q @ k.T, -np.inf)
    weight = np.exp(scores - scores.max(1, keepdims=True))
    weight = weight / weight.sum(1, keepdims=True)
    return weight @ v, weight
""", """
def attention(q, k, v, real):                               # nothing to see becomes an even look at the future
    scores = np.where(np.tril(np.ones((len(q), len(q)), bool)) & real[None], q @ k.T / np.sqrt(q.shape[1]), -1e9)
    weight = np.exp(scores - scores.max(1, keepdims=True))
    weight = weight / weight.sum(1, keepdims=True)
    return weight @ v, weight
""", """
def attention(q, k, v, real):                               # may not look at itself
    allowed = np.tril(np.ones((len(q), len(q)), bool), -1) & real[None]
    weight = np.where(allowed, np.exp(q @ k.T / np.sqrt(q.shape[1])), 0)
    weight = weight / np.maximum(weight.sum(1, keepdims=True), 1e-12)
    return weight @ v, weight
"""],
        "right": ["""
def attention(q, k, v, real):
    weight = np.zeros((len(q), len(q)))
    for t in range(len(q)):
        seen = [s for s in range(t + 1) if real[s]]
        if seen:
            score = np.array([q[t] @ k[s] for s in seen]) / len(q[t]) ** 0.5
            weight[t, seen] = torch.softmax(torch.from_numpy(score), 0).numpy()
    return weight @ v, weight
"""],
    },
    "questions": {
        "wrong": ["""
def questions(items):                                       # the answer is what was read
    return items[:, :-1], items[:, :-1]
""", """
def next_item_loss(logits, targets):                        # padding read as the last item
    top = logits.max(-1, keepdims=True)
    log_total = (top + np.log(np.exp(logits - top).sum(-1, keepdims=True)))[..., 0]
    return (log_total - np.take_along_axis(logits, targets[..., None], -1)[..., 0]).mean()
""".replace("keepdims=True)\n    log", "keepdims=True)\n    targets = targets % logits.shape[-1]\n    log"), """
def next_item_loss(logits, targets):                        # divided by all places, padding too
    top = logits.max(-1, keepdims=True)
    log_total = (top + np.log(np.exp(logits - top).sum(-1, keepdims=True)))[..., 0]
    right = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return ((log_total - right) * (targets >= 0)).mean()
""", """
def next_item_loss(logits, targets):                        # bursts with large scores
    log_total = np.log(np.exp(logits).sum(-1))
    right = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return (log_total - right)[targets >= 0].mean()
"""],
        "right": ["""
def questions(items):
    return np.delete(items, -1, axis=1), np.delete(items, 0, axis=1)
def next_item_loss(logits, targets):
    return float(np.mean([torch.nn.functional.cross_entropy(torch.from_numpy(logits[b, t][None].astype(float)),
                                                            torch.tensor([targets[b, t]])).item()
                          for b, t in zip(*np.nonzero(targets >= 0))]))
"""],
    },
    "detector": {
        "wrong": ["""
def sees_the_future(model, items, n_items):                 # changes the last item only
    changed = items.copy()
    changed[-1] = (items[-1] + 1) % n_items
    return not np.allclose(model(changed)[:-1], model(items)[:-1])
""", """
def sees_the_future(model, items, n_items):                 # the changed item's own state counts as earlier
    states = model(items)
    for place in range(1, len(items)):
        changed = items.copy()
        changed[place] = (items[place] + 1) % n_items
        if not np.allclose(model(changed)[:place + 1], states[:place + 1]):
            return True
    return False
""", """
def sees_the_future(model, items, n_items):                 # looks at the middle only
    half = len(items) // 2
    changed = items.copy()
    changed[half:] = (items[half:] + 1) % n_items
    return not np.allclose(model(changed)[half - 1], model(items)[half - 1])
""", """
def sees_the_future(model, items, n_items):                 # changes the history that it was given
    states = model(items).copy()
    for place in range(1, len(items)):
        items[place] = (items[place] + 1) % n_items
        if not np.allclose(model(items)[:place], states[:place]):
            return True
        states = model(items).copy()
    return False
"""],
        "right": ["""
def sees_the_future(model, items, n_items):
    chance = np.random.default_rng(0)
    for cut in range(1, len(items)):
        for _ in range(3):
            late = (items[cut:] + chance.integers(1, n_items, len(items) - cut)) % n_items
            other = np.concatenate([items[:cut], late])
            if np.abs(model(other)[:cut] - model(items)[:cut]).max() > 1e-9:
                return True
    return False
"""],
    },
}

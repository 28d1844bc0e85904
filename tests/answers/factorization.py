ANSWERS = {
    "predict": {
        "wrong": ["""
def predict(mean, users, items, user, item):                # no biases
    return mean + (users["vectors"][user] * items["vectors"][item]).sum(1)
""", """
def predict(mean, users, items, user, item):                # all pairs
    return (mean + users["bias"][user][:, None] + items["bias"][item]
            + users["vectors"][user] @ items["vectors"][item].T)
""", """
def predict(mean, users, items, user, item):                # the item's bias is taken away
    return mean + users["bias"][user] - items["bias"][item] + (users["vectors"][user] * items["vectors"][item]).sum(1)
"""],
        "right": ["""
def predict(mean, users, items, user, item):
    return mean + users["bias"][user] + items["bias"][item] + np.einsum(
        "bd,bd->b", users["vectors"][user], items["vectors"][item])
"""],
    },
    "gradient": {
        "wrong": ["""
def gradients(rating, mean, b, c, p, q, l2):                # the factor of two is lost
    error = rating - (mean + b + c + p @ q)
    return -error + l2 * b, -error + l2 * c, -error * q + l2 * p, -error * p + l2 * q
""", """
def gradients(rating, mean, b, c, p, q, l2):                # downhill in place of uphill
    error = rating - (mean + b + c + p @ q)
    return 2 * error - 2 * l2 * b, 2 * error - 2 * l2 * c, 2 * error * q - 2 * l2 * p, 2 * error * p - 2 * l2 * q
""", """
def gradients(rating, mean, b, c, p, q, l2):                # no penalty for the biases
    error = rating - (mean + b + c + p @ q)
    return -2 * error, -2 * error, -2 * error * q + 2 * l2 * p, -2 * error * p + 2 * l2 * q
""", """
def gradients(rating, mean, b, c, p, q, l2):                # each vector times itself
    error = rating - (mean + b + c + p @ q)
    return (-2 * error + 2 * l2 * b, -2 * error + 2 * l2 * c, -2 * error * p + 2 * l2 * p, -2 * error * q + 2 * l2 * q)
"""],
        "right": ["""
def gradients(rating, mean, b, c, p, q, l2):
    residual = 2 * ((mean + b + c + np.dot(q, p)) - rating)
    return tuple(residual * other + 2 * l2 * own for other, own in ((1, b), (1, c), (q, p), (p, q)))
"""],
    },
    "epoch": {
        "wrong": ["""
def epoch(ratings, mean, users, items, learning_rate, l2):  # the item sees the user's new vector
    for u, i, rating in ratings:
        p, q, b, c = users["vectors"][u], items["vectors"][i], users["bias"][u], items["bias"][i]
        e = rating - (mean + b + c + p @ q)
        users["bias"][u] += learning_rate * (2 * e - 2 * l2 * b)
        items["bias"][i] += learning_rate * (2 * e - 2 * l2 * c)
        users["vectors"][u] = p + learning_rate * (2 * e * q - 2 * l2 * p)
        items["vectors"][i] = q + learning_rate * (2 * e * users["vectors"][u] - 2 * l2 * q)
""", """
def epoch(ratings, mean, users, items, learning_rate, l2):  # uphill
    for u, i, rating in ratings:
        p, q, b, c = users["vectors"][u].copy(), items["vectors"][i].copy(), users["bias"][u], items["bias"][i]
        e = rating - (mean + b + c + p @ q)
        users["bias"][u] -= learning_rate * (2 * e - 2 * l2 * b)
        items["bias"][i] -= learning_rate * (2 * e - 2 * l2 * c)
        users["vectors"][u] -= learning_rate * (2 * e * q - 2 * l2 * p)
        items["vectors"][i] -= learning_rate * (2 * e * p - 2 * l2 * q)
""", """
def epoch(ratings, mean, users, items, learning_rate, l2):  # all steps from where the epoch began
    steps = []
    for u, i, rating in ratings:
        p, q, b, c = users["vectors"][u].copy(), items["vectors"][i].copy(), users["bias"][u], items["bias"][i]
        e = rating - (mean + b + c + p @ q)
        steps.append((u, i, 2 * e - 2 * l2 * b, 2 * e - 2 * l2 * c, 2 * e * q - 2 * l2 * p, 2 * e * p - 2 * l2 * q))
    for u, i, db, dc, dp, dq in steps:
        users["bias"][u] += learning_rate * db
        items["bias"][i] += learning_rate * dc
        users["vectors"][u] += learning_rate * dp
        items["vectors"][i] += learning_rate * dq
""", """
def epoch(ratings, mean, users, items, learning_rate, l2):  # changes copies
    users, items = ({key: value.copy() for key, value in side.items()} for side in (users, items))
    for u, i, rating in ratings:
        p, q, b, c = users["vectors"][u].copy(), items["vectors"][i].copy(), users["bias"][u], items["bias"][i]
        e = rating - (mean + b + c + p @ q)
        users["vectors"][u] += learning_rate * (2 * e * q - 2 * l2 * p)
        items["vectors"][i] += learning_rate * (2 * e * p - 2 * l2 * q)
"""],
        "right": ["""
def epoch(ratings, mean, users, items, learning_rate, l2):
    for u, i, rating in ratings:
        step = gradients(rating, mean, users["bias"][u], items["bias"][i], users["vectors"][u], items["vectors"][i], l2)
        places = ((users["bias"], u), (items["bias"], i), (users["vectors"], u), (items["vectors"], i))
        for (array, row), slope in zip(places, step):
            array[row] = array[row] - learning_rate * slope
"""],
    },
    "newcomer": {
        "wrong": ["""
def newcomer(vectors, ratings, l2):                         # no penalty
    return np.linalg.lstsq(vectors, ratings, rcond=None)[0]
""", """
def newcomer(vectors, ratings, l2):                         # the penalty times the number of ratings
    return np.linalg.solve(vectors.T @ vectors + l2 * max(len(ratings), 1) * np.eye(vectors.shape[1]),
                           vectors.T @ ratings)
""", """
def newcomer(vectors, ratings, l2):                         # a weighted mean of the films
    return vectors.T @ ratings / (len(ratings) + l2)
"""],
        "right": ["""
def newcomer(vectors, ratings, l2):
    n, d = vectors.shape
    return np.linalg.lstsq(np.vstack([vectors, np.sqrt(l2) * np.eye(d)]), np.concatenate([ratings, np.zeros(d)]),
                           rcond=None)[0]
"""],
    },
    "clicks": {
        "wrong": ["""
def user_vector(items, gram, clicked, alpha, l2):           # only what was clicked
    own = items[clicked]
    return np.linalg.solve((1 + alpha) * own.T @ own + l2 * np.eye(len(gram)), (1 + alpha) * own.sum(0))
""", """
def user_vector(items, gram, clicked, alpha, l2):           # the clicks' confidence is alpha
    own = items[clicked]
    return np.linalg.solve(gram + alpha * own.T @ own + l2 * np.eye(len(gram)), alpha * own.sum(0))
""", """
def user_vector(items, gram, clicked, alpha, l2):           # clicks count twice on the left
    own = items[clicked]
    return np.linalg.solve(gram + (1 + alpha) * own.T @ own + l2 * np.eye(len(gram)), (1 + alpha) * own.sum(0))
"""],
        "right": ["""
def user_vector(items, gram, clicked, alpha, l2):
    weight = np.ones(len(items))
    weight[clicked] += alpha
    answer = np.zeros(len(items))
    answer[clicked] = 1
    stacked = np.vstack([np.sqrt(weight)[:, None] * items, np.sqrt(l2) * np.eye(items.shape[1])])
    return np.linalg.lstsq(stacked, np.concatenate([np.sqrt(weight) * answer, np.zeros(items.shape[1])]), rcond=None)[0]
"""],
    },
}

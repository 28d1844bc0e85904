ANSWERS = {
    "rank": {
        "wrong": ["""
def rank(scores, target):                                   # the best is 0
    right = scores[np.arange(len(scores)), target][:, None]
    return (scores > right).sum(1) + ((scores == right).sum(1) - 1) / 2
""", """
def rank(scores, target):                                   # ties count for the model
    right = scores[np.arange(len(scores)), target][:, None]
    return 1.0 + (scores > right).sum(1)
""", """
def rank(scores, target):                                   # ties count against it
    right = scores[np.arange(len(scores)), target][:, None]
    return 0.0 + (scores >= right).sum(1)
""", """
def rank(scores, target):                                   # ties by the items' numbers
    order = np.argsort(-scores, axis=1, kind="stable")
    return 1.0 + (order == target[:, None]).argmax(1)
"""],
        "right": ["""
from scipy.stats import rankdata
def rank(scores, target):
    return np.array([rankdata(-row)[item] for row, item in zip(scores, target)])
"""],
    },
    "ndcg": {
        "wrong": ["""
def ndcg(ranks, k):                                         # the natural logarithm
    return np.where(ranks <= k, 1 / np.log(ranks + 1), 0)
""", """
def ndcg(ranks, k):                                         # the k-th place does not count
    return np.where(ranks < k, 1 / np.log2(ranks + 1), 0)
""", """
def mean_over_users(values, users):                         # over questions
    return values.mean()
""", """
def mean_over_users(values, users):                         # over users, weighted by their questions
    frame = pd.DataFrame({"v": values, "u": users}).groupby("u")["v"].agg(["mean", "size"])
    return (frame["mean"] * frame["size"]).sum() / frame["size"].sum()
""", """
def mean_over_users(values, users):                         # only users that stand side by side
    ends = np.flatnonzero(np.diff(users)) + 1
    return np.mean([part.mean() for part in np.split(values, ends)])
"""],
        "right": ["""
def ndcg(ranks, k):
    gain = np.zeros(len(ranks))
    gain[ranks <= k] = np.log(2) / np.log1p(ranks[ranks <= k])
    return gain
def mean_over_users(values, users):
    _, place, count = np.unique(users, return_inverse=True, return_counts=True)
    return (np.bincount(place, weights=values) / count).mean()
"""],
    },
    "leak": {
        "wrong": ["""
def split_by_time(log, share):                              # each user's own last events
    last = log.sort_values("timestamp").groupby("user").cumcount(ascending=False)
    n = log.groupby("user")["user"].transform("size")
    late = last.reindex(log.index) < share * n
    return log[~late], log[late]
""", """
def split_by_time(log, share):                              # cuts within a second
    ordered = log.sort_values("timestamp")
    cut = len(log) - int(np.ceil(share * len(log)))
    return ordered.iloc[:cut], ordered.iloc[cut:]
""", """
def split_by_time(log, share):                              # by the order of the rows
    cut = len(log) - int(np.ceil(share * len(log)))
    return log.iloc[:cut], log.iloc[cut:]
""", """
def leaked(train, test):                                    # later than the last question
    return int((train["timestamp"] > test["timestamp"].max()).sum())
""", """
def leaked(train, test):                                    # the same second does not count
    return int((train["timestamp"] > test["timestamp"].min()).sum())
"""],
        "right": ["""
def leaked(train, test):
    first = min(test["timestamp"])
    return sum(time >= first for time in train["timestamp"])
def split_by_time(log, share):
    wanted = share * len(log)
    for time in sorted(log["timestamp"].unique(), reverse=True):
        if (log["timestamp"] >= time).sum() >= wanted - 1e-9:
            return log.query("timestamp < @time"), log.query("timestamp >= @time")
"""],
    },
    "neighbours": {
        "wrong": ["""
def similarity(met, shrink):                                # users in place of items
    both = (met @ met.T).toarray().astype(float)
    count = np.sqrt(both.diagonal())
    alike = both / (np.outer(count, count) + shrink)
    np.fill_diagonal(alike, 0)
    return alike
""", """
def similarity(met, shrink):                                # every item is its own neighbour
    both = (met.T @ met).toarray().astype(float)
    count = np.sqrt(both.diagonal())
    below = np.outer(count, count) + shrink
    return np.divide(both, below, out=np.zeros_like(both), where=below > 0)
""", """
def similarity(met, shrink):                                # 0 divided by 0 for what nobody met
    both = (met.T @ met).toarray().astype(float)
    count = np.sqrt(both.diagonal())
    alike = both / (np.outer(count, count) + shrink)
    np.fill_diagonal(alike, 0)
    return alike
""", """
def similarity(met, shrink):                                # no shrinkage
    both = (met.T @ met).toarray().astype(float)
    count = np.sqrt(both.diagonal())
    below = np.outer(count, count)
    alike = np.divide(both, below, out=np.zeros_like(both), where=below > 0)
    np.fill_diagonal(alike, 0)
    return alike
""", """
def recommend(met, alike, user, k):                         # what the user has already
    return np.argsort(-(met[[user]].toarray()[0] @ alike))[:k]
"""],
        "right": ["""
def similarity(met, shrink):
    dense = met.toarray().astype(float)
    n = dense.sum(0)
    alike = np.array([[(dense[:, i] @ dense[:, j]) / max((n[i] * n[j]) ** 0.5 + shrink, 1e-300) if i != j else 0.0
                       for j in range(len(n))] for i in range(len(n))])
    return alike
"""],
    },
}

UNIT = """
def unit(scores):
    deviation = scores.std(1, keepdims=True)
    return (scores - scores.mean(1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
"""
ANSWERS = {
    "unit": {
        "wrong": ["""
def standardised(scores):                                   # over questions in place of items
    return (scores - scores.mean(0)) / scores.std(0)
""", """
def standardised(scores):                                   # one unit for all questions
    return (scores - scores.mean()) / scores.std()
""", """
def standardised(scores):                                   # 0 divided by 0
    return (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)
""", """
def standardised(scores):                                   # between 0 and 1
    low, high = scores.min(1, keepdims=True), scores.max(1, keepdims=True)
    return (scores - low) / np.maximum(high - low, 1e-12)
"""],
        "right": ["""
from scipy.stats import zscore
def standardised(scores):
    return np.nan_to_num(zscore(scores, axis=1))
"""],
    },
    "weight": {
        "wrong": ["""
def weight_of_this_shop(here):                              # chosen on the test
    part = here["test"]
    return best_weight(part["ids"], part["words"], part["target"], [a / 10 for a in range(11)])
""", """
def best_weight(first, second, target, weights):            # raw scores
    quality = {a: ndcg(a * first + (1 - a) * second, target).mean() for a in sorted(weights)}
    return max(quality, key=quality.get)
""", """
def best_weight(first, second, target, weights):            # the largest of equals
    first, second = standardised(first), standardised(second)
    quality = {a: ndcg(a * first + (1 - a) * second, target).mean() for a in sorted(weights, reverse=True)}
    return max(quality, key=quality.get)
""", """
def weight_of_this_shop(here):                              # the second's weight
    part = here["validation"]
    return best_weight(part["words"], part["ids"], part["target"], [a / 10 for a in range(11)])
"""],
        "right": ["""
def best_weight(first, second, target, weights):
    ordered = np.sort(np.asarray(weights))
    values = [ndcg(standardised(first) * a + standardised(second) * (1 - a), target).mean() for a in ordered]
    return ordered[int(np.argmax(values))]
"""],
    },
    "slices": {
        "wrong": ["""
def by_evidence(values, target, met, fewer_than):           # at most in place of fewer than
    cold = met[target] <= fewer_than
    return tuple(values[group].mean() if group.any() else np.nan for group in (cold, ~cold))
""", """
def by_evidence(values, target, met, fewer_than):           # counts the questions in place of training
    count = np.bincount(target, minlength=len(met))
    cold = count[target] < fewer_than
    return tuple(values[group].mean() if group.any() else np.nan for group in (cold, ~cold))
""", """
def by_evidence(values, target, met, fewer_than):           # 0 where there is no question
    cold = met[target] < fewer_than
    return tuple(values[group].mean() if group.any() else 0.0 for group in (cold, ~cold))
"""],
        "right": ["""
def by_evidence(values, target, met, fewer_than):
    few = np.take(met, target) < fewer_than
    return np.array([np.average(values, weights=w) if w.sum() else float("nan") for w in (few, 1 - few)])
"""],
    },
    "hybrid": {
        "wrong": [UNIT + """
def hybrid(ids, words, met):                                # a plain weight loses the new items
    return 0.2 * unit(ids) + 0.8 * unit(words)
""", UNIT + """
def hybrid(ids, words, met):                                # one of the parts
    return words
""", UNIT + """
def hybrid(ids, words, met):                                # half of each
    return unit(ids) + unit(words)
""", UNIT + """
def hybrid(ids, words, met):                                # new items first, whatever the cost
    return unit(words) + 100 * (met < 10)
"""],
        "right": [UNIT + """
def hybrid(ids, words, met):
    known = np.minimum(met / 10, 1)
    lifted = np.where(met < 10, 0.9 * unit(words), 0)
    return known * (0.25 * unit(ids) + 0.75 * unit(words)) + (1 - known) * lifted
"""],
    },
}

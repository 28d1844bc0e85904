from tests.claims import world

LARGE_PERPLEXITY = """
import sklearn.manifold
class Wider(sklearn.manifold.TSNE):
    def __init__(self, perplexity=30, init="pca", random_state=0):
        super().__init__(perplexity=30, init=init, random_state=random_state)
sklearn.manifold.TSNE = Wider
"""

PLANE = """
import sklearn.manifold, sklearn.decomposition
sklearn.manifold.TSNE = lambda **options: sklearn.decomposition.PCA(2)
"""

TAKEN_OUT = [
    ("nothing to recover", "abs(bare[apart] - full[apart]) > 0.2", world(taste=0.0, intent=0.0, complements=0.0)),
    ("no drift", "recent['Doc2Vec'] > old['Doc2Vec'] + 0.05", world(drift=0.0)),
]

RIVALS = [
    ("PCA for t-SNE", "nearby['t-SNE'] > nearby['PCA'] + 0.1", PLANE),
    ("perplexity 30 for 3", "spacing(clumped) < 0.65", LARGE_PERPLEXITY),
]

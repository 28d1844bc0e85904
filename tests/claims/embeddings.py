from tests.claims import world

PLANE = """
import sklearn.manifold, sklearn.decomposition
sklearn.manifold.TSNE = lambda **options: sklearn.decomposition.PCA(2)
"""

TAKEN_OUT = [
    ("no drift", "recent['Doc2Vec'] > old['Doc2Vec'] + 0.05", world(drift=0.0)),
]

RIVALS = [
    ("PCA for t-SNE", "nearby['t-SNE'] > nearby['PCA'] + 0.1", PLANE),
]

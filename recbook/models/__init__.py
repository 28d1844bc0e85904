"""The models of the book, one family a file. `MODELS` lists them by the names that the command line takes."""

from recbook.errors import UnknownName
from recbook.models.adversarial import AMF, CFGAN, IRGAN
from recbook.models.attention import NARM, AttentiveGRU
from recbook.models.autoencoders import AutoRec, MultDAE, MultVAE
from recbook.models.base import Recommender
from recbook.models.carried import carry_over
from recbook.models.caser import Caser
from recbook.models.closed_form import EASE, IALS, Bias, PureSVD
from recbook.models.content import ContentGRU
from recbook.models.factorization import BPRMF, FunkSVD, LogisticMF, SVDPlusPlus
from recbook.models.grown import grow
from recbook.models.hybrid import Cascade, Newcomers, Switching, Weighted
from recbook.models.item2vec import Item2Vec
from recbook.models.neighbours import ItemKNN, RP3Beta, UserKNN
from recbook.models.neumf import GMF, MLP, NeuMF
from recbook.models.observer import Observer, Oracle, TasteObserver
from recbook.models.popularity import PersonalPopularity, Popularity
from recbook.models.profiles import ContentProfile
from recbook.models.rating_neighbours import KNNBaseline, RatingKNN
from recbook.models.recurrent import GRU4Rec, MaxPooledRNN
from recbook.models.self_attention import SASRec
from recbook.models.sequence import SequenceModel
from recbook.models.social import Friends
from recbook.models.writer import Writer

MODELS = {
    "popularity": Popularity,
    "personal-popularity": PersonalPopularity,
    "bias": Bias,
    "funk-svd": FunkSVD,
    "svd++": SVDPlusPlus,
    "bpr-mf": BPRMF,
    "logistic-mf": LogisticMF,
    "gmf": GMF,
    "mlp": MLP,
    "neumf": NeuMF,
    "gru4rec": GRU4Rec,
    "max-pooled-rnn": MaxPooledRNN,
    "caser": Caser,
    "attentive-gru": AttentiveGRU,
    "narm": NARM,
    "sasrec": SASRec,
    "autorec": AutoRec,
    "mult-dae": MultDAE,
    "mult-vae": MultVAE,
    "irgan": IRGAN,
    "cfgan": CFGAN,
    "amf": AMF,
    "writer": Writer,
    "ials": IALS,
    "pure-svd": PureSVD,
    "ease": EASE,
    "item2vec": Item2Vec,
    "item-knn": ItemKNN,
    "user-knn": UserKNN,
    "rp3beta": RP3Beta,
    "knn-baseline": KNNBaseline,
    "friends": Friends,
    "content-profile": ContentProfile,
    "content-gru": ContentGRU,
}
RATING_MODELS = ("bias", "funk-svd", "svd++", "knn-baseline", "autorec")  # they learn ratings, and are judged by them


def find_model(name):
    """The class of a model by its name."""
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    return MODELS[name]

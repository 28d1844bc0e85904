"""The public data sets that `load` knows: where each comes from, on what terms, and how it is read.

A download is given only where its bytes can be verified. The sha256 of the archives of MovieLens and Last.fm are
those that public projects pin (TensorFlow Datasets for MovieLens); the others were computed from the files.
Nothing is redistributed: the files go from the provider to the reader's machine.
"""

from recbook.data.files import Download, Source
from recbook.data.readers import amazon, movielens, papers, sessions, shown, social
from recbook.errors import UnknownName

GROUPLENS = "https://files.grouplens.org/datasets"
SASREC = "https://raw.githubusercontent.com/kang205/SASRec/master/data"
SASREC_MAPPING = "https://raw.githubusercontent.com/asash/ml1m-sas-mapping/d27e2bf2021e12764e7bf7b985091edd7c8d2f79"
CASER = "https://raw.githubusercontent.com/graytowne/caser_pytorch/master/datasets/ml1m"
AMAZON_2018 = "https://jmcauley.ucsd.edu/data/amazon_v2"
SCIENTIFIC = ("https://raw.githubusercontent.com/Nishikata97/CollisionGenRec/"
              "505d5be3166f7c38ae67957daf8a3b7ec7092577/data/Scientific")
NO_REDISTRIBUTION = "Research only; no redistribution without permission; acknowledge."
MOVIELENS = "F. M. Harper and J. A. Konstan. The MovieLens Datasets: History and Context. ACM TiiS 5(4):19, 2015."

SOURCES = (
    Source(
        "ml-100k", movielens.ml_100k,
        page="https://grouplens.org/datasets/movielens/100k/",
        terms=NO_REDISTRIBUTION,
        citation=MOVIELENS,
        archive=Download(f"{GROUPLENS}/movielens/ml-100k.zip",
                         "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"),
    ),
    Source(
        "ml-1m", movielens.ml_1m,
        page="https://grouplens.org/datasets/movielens/1m/",
        terms=NO_REDISTRIBUTION,
        citation=MOVIELENS,
        archive=Download(f"{GROUPLENS}/movielens/ml-1m.zip",
                         "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"),
    ),
    Source(
        "ml-20m", movielens.ml_20m,
        page="https://grouplens.org/datasets/movielens/20m/",
        terms=NO_REDISTRIBUTION,
        citation=MOVIELENS,
    ),
    Source(
        "ml-latest-small", movielens.ml_latest_small,
        page="https://grouplens.org/datasets/movielens/latest/",
        terms="Research; may be redistributed under the same conditions; acknowledge.",
        citation=MOVIELENS,
        archive=Download(f"{GROUPLENS}/movielens/ml-latest-small.zip",
                         "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436"),
    ),
    Source(
        "ml-1m-sasrec", papers.ml_1m_sasrec,
        page="https://github.com/kang205/SASRec",
        terms="Repository: Apache-2.0; the ratings underneath: MovieLens 1M, research only, no redistribution.",
        citation=f"W.-C. Kang and J. McAuley. Self-Attentive Sequential Recommendation. ICDM 2018. {MOVIELENS}",
        downloads={
            "ml-1m.txt": Download(f"{SASREC}/ml-1m.txt",
                                  "b725f3acb3986fe3130bffd1e77a74d182a1f51799567a236dbd60270f95b0a2"),
            "sas_to_original_items.txt": Download(
                f"{SASREC_MAPPING}/sas_to_original_items.txt",
                "9ae42c23af0b0fe2f189b9d5acc6cf3936bffe1a9568390cf5d100c0c1b1fca1"),
            "sas_to_original_users.txt": Download(
                f"{SASREC_MAPPING}/sas_to_original_users.txt",
                "121893a66ab13fad83a67e12e3b3e6ddc56bcd01f0bcedf2ccb10bd8405e6239"),
        },
    ),
    Source(
        "ml-1m-caser", papers.ml_1m_caser,
        page="https://github.com/graytowne/caser_pytorch/tree/master/datasets/ml1m",
        terms="Repository: LGPL-3.0; the ratings underneath: MovieLens 1M, research only, no redistribution.",
        citation="J. Tang and K. Wang. Personalized Top-N Sequential Recommendation via Convolutional Sequence "
                 f"Embedding. WSDM 2018. {MOVIELENS}",
        downloads={
            "validation/train.txt": Download(
                f"{CASER}/validation/train.txt", "5177ff3a38fff46675e18dae401b8453b12184ce8d06f3198ee04e04f5480b78"),
            "validation/test.txt": Download(
                f"{CASER}/validation/test.txt", "3398d79f53d2b9e74a01ab2ff5620b033b856296c9b1f77c5b0197c0d9bd5886"),
            "test/test.txt": Download(
                f"{CASER}/test/test.txt", "5da5f1b9fa97264e3d908a03d38b40e9a0e939fa7f46a33e729dbc83eb377da6"),
        },
    ),
    Source(
        "ml-1m-ncf", papers.ml_1m_ncf,
        page="https://github.com/hexiangnan/neural_collaborative_filtering (Data/ml-1m.*)",
        terms="Repository: Apache-2.0; the ratings underneath: MovieLens 1M, research only, no redistribution.",
        citation=f"X. He et al. Neural Collaborative Filtering. WWW 2017. {MOVIELENS}",
    ),
    Source(
        "gowalla-lightgcn", papers.gowalla_lightgcn,
        page="https://github.com/geon0325/LightGCNpp (data/gowalla)",
        terms="None stated with the files; the check-ins (https://snap.stanford.edu/data/loc-gowalla.html) ask for citation.",
        citation="E. Cho, S. A. Myers, J. Leskovec. Friendship and Mobility. KDD 2011; X. He et al. LightGCN. SIGIR 2020.",
    ),
    Source(
        "amazon-beauty-2014", amazon.beauty_2014,
        page="https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html (the columns reviewerID, asin, "
             "unixReviewTime of the Beauty 5-core as interactions.tsv; asin, s3rec_item_id, title as items.tsv)",
        terms="Research; cite; no formal licence is known.",
        citation="J. McAuley, C. Targett, Q. Shi, A. van den Hengel. Image-based recommendations on styles and "
                 "substitutes. SIGIR 2015. K. Zhou et al. S3-Rec. CIKM 2020.",
    ),
    Source(
        "amazon-gift-cards-2018", amazon.gift_cards_2018,
        page="https://nijianmo.github.io/amazon/",
        terms="Research; cite; no formal licence is known.",
        citation="J. Ni, J. Li, J. McAuley. Justifying recommendations using distantly-labeled reviews and "
                 "fine-grained aspects. EMNLP 2019.",
        downloads={
            "Gift_Cards_5.json": Download(f"{AMAZON_2018}/categoryFilesSmall/Gift_Cards_5.json.gz",
                                          "41e1f0e50d3c1c9d7d949fb6315944c8bde51ea6b7429a29fdd0d02cbc07ef25"),
            "meta_Gift_Cards.json": Download(f"{AMAZON_2018}/metaFiles2/meta_Gift_Cards.json.gz",
                                             "07fd154b7275ab9b1537e3802913508c7a5f84ed00f73201cd3fa18b2b51b342"),
        },
    ),
    Source(
        "amazon-scientific-2018", amazon.scientific_2018,
        page="https://github.com/Nishikata97/CollisionGenRec",
        terms="Repository: MIT; Amazon data: research, cite.",
        citation="Q. Zhang, L. Szymanski, J. D. Deng, H. Zhang. Faithful Evaluation of Semantic-ID Tokenizers for "
                 "Generative Recommendation. 2026. J. Ni, J. Li, J. McAuley. EMNLP 2019.",
        downloads={
            "Scientific.inter.json": Download(f"{SCIENTIFIC}/Scientific.inter.json",
                                              "32c6c01876ebecebdfabd2dbd358594be36655e9e7b168772a7a3aa3624ee1b4"),
            "Scientific.item.json": Download(f"{SCIENTIFIC}/Scientific.item.json",
                                             "ad24200106868dac2b544d812305d61a11bf07fed78b2f7cdca41d66f3418e71"),
        },
    ),
    Source(
        "taobao-userbehavior-100k", sessions.taobao,
        page="https://tianchi.aliyun.com/dataset/649 (the first 100,001 lines of UserBehavior.csv)",
        terms="Tianchi's terms, on that page.",
        citation="H. Zhu et al. Learning tree-based deep model for recommender systems. KDD 2018.",
    ),
    Source(
        "retailrocket-processed", sessions.retailrocket,
        page="https://github.com/caserec/Datasets-for-Recommender-Systems",
        terms="The original: CC BY-NC-SA 4.0.",
        citation="Retail Rocket, https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset. "
                 "A. da Costa Fortes, Case Recommender.",
    ),
    Source(
        "diginetica-sessions", sessions.diginetica,
        page="https://github.com/CCIIPLab/GCE-GNN (its lists of sessions, written out as text)",
        terms="Competition data, for research; no licence is stated.",
        citation="CIKM Cup 2016, Track 2. S. Wu et al. Session-based Recommendation with Graph Neural Networks. "
                 "AAAI 2019.",
    ),
    Source(
        "hetrec2011-lastfm-2k", social.lastfm_2k,
        page="https://grouplens.org/datasets/hetrec-2011/",
        terms="Non-commercial research; acknowledge; data from Last.fm (https://www.last.fm).",
        citation="I. Cantador, P. Brusilovsky, T. Kuflik. 2nd workshop on information heterogeneity and fusion in "
                 "recommender systems (HetRec 2011). RecSys 2011.",
        archive=Download(f"{GROUPLENS}/hetrec2011/hetrec2011-lastfm-2k.zip",
                         "6738f48195667ff03caaab4d32ca9a3133d8cc026b7c3cdaf6ce1010e913c59c"),
    ),
    Source(
        "coat", shown.coat,
        page="https://www.cs.cornell.edu/~schnabts/mnar/",
        terms="None is stated with the files; offered by the authors for research.",
        citation="T. Schnabel, A. Swaminathan, A. Singh, N. Chandak, T. Joachims. Recommendations as Treatments: Debiasing "
                 "Learning and Evaluation. ICML 2016.",
    ),
    Source(
        "ciao", social.ciao,
        page="https://www.cse.msu.edu/~tangjili/datasetcode/truststudy.htm",
        terms="Research; cite; no formal licence is known.",
        citation="J. Tang, H. Gao, H. Liu. mTrust: Discerning multi-faceted trust in a connected world. WSDM 2012.",
    ),
)

CATALOG = {source.name: source for source in SOURCES}

DECISIONS = Source(             # no log of who met what, but of what was shown: `open_bandit` reads it
    "open-bandit-small", shown.open_bandit,
    page="https://research.zozo.com/data.html (here the small version, that of the package obp 0.4.1)",
    terms="CC BY 4.0.",
    citation="Y. Saito, S. Aihara, M. Matsutani, Y. Narita. Open Bandit Dataset and Pipeline: Towards Realistic and "
             "Reproducible Off-Policy Evaluation. NeurIPS Datasets and Benchmarks 2021.",
)

ALIASES = {
    "amazon-beauty": "amazon-beauty-2014",
    "amazon-gift-cards": "amazon-gift-cards-2018",
    "amazon-scientific": "amazon-scientific-2018",
    "diginetica": "diginetica-sessions",
    "gowalla": "gowalla-lightgcn",
    "lastfm": "hetrec2011-lastfm-2k",
    "retailrocket": "retailrocket-processed",
    "taobao": "taobao-userbehavior-100k",
}


def find_source(name):
    """The `Source` of that name or alias."""
    name = ALIASES.get(name, name)
    if name not in CATALOG:
        raise UnknownName("data set", name, ["shop", *CATALOG, *ALIASES])
    return CATALOG[name]

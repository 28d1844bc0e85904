"""Each reader, on a few lines in the original format: what it makes of them, and what it refuses."""

import gzip
import json

import numpy as np
import pytest
from scipy.io import savemat

from recbook.data import load
from recbook.data.catalog import ALIASES, CATALOG, DECISIONS
from recbook.data.files import Files
from recbook.data.readers.shown import coat_propensities
from recbook.errors import DataError, UnknownName


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(name, {file: text}) puts the files of a data set where `load` finds them, and nothing else."""
    monkeypatch.setenv("RECBOOK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RECBOOK_CACHE", str(tmp_path / "cache"))

    def write(name, files):
        for file, content in files.items():
            path = tmp_path / "data" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


def rows(dataset, *columns):
    """The interactions with the source's own ids, as tuples."""
    log = dataset.interactions
    log = log.assign(user=dataset.users["original"].to_numpy()[log["user"]],
                     item=dataset.items["original"].to_numpy()[log["item"]])
    return list(log[list(columns or ("user", "item", "timestamp"))].itertuples(index=False, name=None))


ML_1M = {
    "ratings.dat": "2::20::4::300\n1::10::5::200\n1::30::3::100\n",
    "users.dat": "1::F::1::10::48067\n2::M::56::16::02460\n",
    "movies.dat": ("10::Amélie (2001)::Comedy|Romance\n20::Heat (1995)::Action\n30::Alien: 3::Horror\n"
                   "40::Unrated::Drama\n").encode("latin-1"),
}


def test_ml_1m_is_sorted_by_user_and_time_and_has_the_rated_films_only(write):
    dataset = load(write("ml-1m", ML_1M))
    assert rows(dataset, "user", "item", "timestamp", "rating", "row") == [
        (1, 30, 100, 3.0, 2), (1, 10, 200, 5.0, 1), (2, 20, 300, 4.0, 0)]
    assert dataset.items["title"].tolist() == ["Amélie (2001)", "Heat (1995)", "Alien: 3"]
    assert dataset.items["category"].tolist() == ["Comedy|Romance", "Action", "Horror"]
    assert dataset.users["zip_code"].tolist() == ["48067", "02460"]
    assert not dataset.items_return
    assert set(dataset.files) == {"ratings.dat", "users.dat", "movies.dat"}


def test_ties_in_time_keep_the_order_of_the_file(write):
    ratings = "1::30::3::100\n1::10::5::100\n1::20::5::100\n"
    assert [row[1] for row in rows(load(write("ml-1m", ML_1M | {"ratings.dat": ratings})))] == [30, 10, 20]


@pytest.mark.parametrize("ratings, says", [
    ("1::10::5::200\n1::30::3\n", "ml-1m/ratings.dat, line 2: 3 fields where 4 belong"),
    ("1::10::five::200\n", "ml-1m/ratings.dat, line 1: rating is 'five'"),
    ("1::10::nan::200\n", "ml-1m/ratings.dat, line 1: rating is 'nan'"),
    ("1::10::5::200\n1::20::-5::200\n", "row 2: -5.0 is no rating"),
    ("1::10::5::-1\n", "row 1: -1 is no time in seconds"),
    ("1::10::5::978300760000\n", "if these are milliseconds, say"),
    ("", "ml-1m/ratings.dat: the file is empty"),
    (b"1::10::5::200\n1::\xe9::5::200\n", "ml-1m/ratings.dat, line 2: byte 0xe9 is no utf-8 text"),
])
def test_ml_1m_refuses_a_malformed_line(write, ratings, says):
    with pytest.raises(DataError) as caught:
        load(write("ml-1m", ML_1M | {"ratings.dat": ratings}))
    assert says in str(caught.value)


def test_a_bad_value_is_counted_in_rows_of_the_file_not_of_the_sorted_frame(write):
    ratings = "2::20::-4::300\n1::10::5::200\n"
    with pytest.raises(DataError, match="row 1: -4.0 is no rating"):
        load(write("ml-1m", ML_1M | {"ratings.dat": ratings}))


def test_ml_1m_refuses_a_truncated_gzip_file(write):
    files = ML_1M | {"ratings.dat.gz": gzip.compress(ML_1M["ratings.dat"].encode())[:-9]}
    del files["ratings.dat"]
    with pytest.raises(DataError, match=r"ratings.dat.gz, line \d: the gzip file is truncated"):
        load(write("ml-1m", files))


def test_a_film_that_is_rated_twice_and_a_user_with_one_rating_are_kept(write):
    dataset = load(write("ml-1m", ML_1M | {"ratings.dat": "1::10::5::1\n1::10::4::2\n2::20::3::3\n"}))
    assert rows(dataset) == [(1, 10, 1), (1, 10, 2), (2, 20, 3)]


def ml_100k(ratings):
    genres = "unknown|0\nAction|1\n\n"
    films = ("1|Toy Story (1995)|01-Jan-1995||http://x|0|1\n2|L\xe9on|||http://y|1|1\n").encode("latin-1")
    folds = {f"u{n}.test": ratings.splitlines(keepends=True)[n % 2] for n in range(1, 6)}
    return {"u.data": ratings, "u.genre": genres, "u.item": films, "u.user": "1|24|M|writer|85711\n"} | folds


def test_ml_100k_and_its_official_folds(write):
    dataset = load(write("ml-100k", ml_100k("1\t2\t5\t200\n1\t1\t3\t100\n")))
    assert rows(dataset, "user", "item", "timestamp", "rating") == [(1, 1, 100, 3.0), (1, 2, 200, 5.0)]
    assert dataset.items["category"].tolist() == ["Action", "unknown|Action"]
    assert dataset.items["title"].tolist() == ["Toy Story (1995)", "Léon"]
    folds = dataset.published
    assert len(folds) == 5
    assert folds[0].test.target.tolist() == [0] and folds[0].train["item"].tolist() == [1]  # u1: the second row
    assert folds[1].test.rating.tolist() == [5.0] and folds[1].train["rating"].tolist() == [3.0]
    assert "u1.test" in dataset.files


def test_ml_100k_refuses_a_fold_with_a_rating_of_its_own(write):
    files = ml_100k("1\t2\t5\t200\n1\t1\t3\t100\n")
    dataset = load(write("ml-100k", files | {"u3.test": "1\t3\t5\t200\n"}))
    with pytest.raises(DataError, match="u3.test: 1 of its rows are not in u.data"):
        dataset.published


def test_ml_latest_small_reads_quoted_titles_and_tags(write):
    dataset = load(write("ml-latest-small", {
        "ratings.csv": "userId,movieId,rating,timestamp\r\n1,11,4.5,964982703\r\n",
        "movies.csv": 'movieId,title,genres\r\n11,"President, The (1995)",Comedy|Drama\r\n12,Unrated,Drama\r\n',
        "tags.csv": "userId,movieId,tag,timestamp\r\n1,11,president,1\r\n2,11,president,2\r\n2,11,love,3\r\n"}))
    assert rows(dataset, "user", "item", "timestamp", "rating") == [(1, 11, 964982703, 4.5)]
    assert dataset.items.to_dict("records") == [{
        "original": 11, "title": "President, The (1995)", "category": "Comedy|Drama", "text": "president, love"}]


def test_ml_20m_reads_ratings_and_titles(write):
    dataset = load(write("ml-20m", {
        "ratings.csv": "userId,movieId,rating,timestamp\r\n1,11,3.5,1112486027\r\n",
        "movies.csv": 'movieId,title,genres\r\n11,"President, The (1995)",Comedy|Drama\r\n12,Unrated,Drama\r\n'}))
    assert rows(dataset, "user", "item", "timestamp", "rating") == [(1, 11, 1112486027, 3.5)]
    assert dataset.items.to_dict("records") == [{
        "original": 11, "title": "President, The (1995)", "category": "Comedy|Drama"}]


def test_sasrec_keeps_its_ids_and_leaves_the_last_out(write):
    name = write("ml-1m-sasrec", {
        "ml-1m.txt": "1 1\n1 2\n1 3\n", "sas_to_original_items.txt": "1 30\n2 20\n3 10\n",
        "sas_to_original_users.txt": "1 5988\n"})
    dataset = load(name)
    assert rows(dataset) == [(1, 1, 0), (1, 2, 1), (1, 3, 2)]
    assert dataset.items["movie"].tolist() == [30, 20, 10] and dataset.users["movielens_user"].tolist() == [5988]
    assert dataset.title(0) == "item 1"
    split = dataset.published
    assert split.train["item"].tolist() == [0]
    assert split.validation.target.tolist() == [1] and split.test.target.tolist() == [2]
    assert split.test.masked.toarray().tolist() == [[1, 0, 0]]


def test_titles_come_from_ml_1m_where_it_is_present(write):
    write("ml-1m", ML_1M)
    dataset = load(write("ml-1m-sasrec", {
        "ml-1m.txt": "1 1\n1 2\n", "sas_to_original_items.txt": "1 30\n2 20\n",
        "sas_to_original_users.txt": "1 5988\n"}))
    assert dataset.items["title"].tolist() == ["Alien: 3", "Heat (1995)"]
    assert "ml-1m/movies.dat" in dataset.files


def test_caser_cuts_each_user_as_its_files_do(write):
    dataset = load(write("ml-1m-caser", {
        "validation/train.txt": "1 7 1\n1 5 1\n2 5 1\n", "validation/test.txt": "1 6 1\n2 7 1\n",
        "test/test.txt": "1 8 1\n1 9 1\n2 8 1\n"}))
    assert [row[:2] for row in rows(dataset)] == [(1, 7), (1, 5), (1, 6), (1, 8), (1, 9), (2, 5), (2, 7), (2, 8)]
    split = dataset.published
    original = dataset.items["original"].to_numpy()
    assert original[split.train["item"]].tolist() == [7, 5, 5]
    assert original[split.train_and_validation["item"]].tolist() == [7, 5, 6, 5, 7]
    assert original[split.validation.target].tolist() == [6, 7]
    assert original[split.test.target].tolist() == [8, 9, 8] and split.test.case.tolist() == [0, 0, 1]
    assert original[split.test.context().items[0]].tolist() == [7, 5, 6]


def test_gowalla_has_a_line_for_each_user(write):
    dataset = load(write("gowalla-lightgcn", {"train.txt": "0 5 7\n1 6\n", "valid.txt": "0 6\n", "test.txt": "0 8\n1 7 5\n"}))
    split = dataset.published
    original = dataset.items["original"].to_numpy()
    assert list(zip(split.train["user"], original[split.train["item"]])) == [(0, 5), (0, 7), (1, 6)]
    assert original[split.validation.target].tolist() == [6] and not dataset.items_return
    assert original[split.test.target].tolist() == [8, 7, 5] and split.test.case.tolist() == [0, 1, 1]
    assert split.refit().train["item"].map(original.__getitem__).tolist() == [5, 7, 6, 6]
    with pytest.raises(DataError, match="train.txt, line 2: 'x' is no whole number"):
        load(write("gowalla-lightgcn", {"train.txt": "0 5\n1 x\n", "valid.txt": "0 6\n", "test.txt": "0 8\n"}))


NCF = {
    "ml-1m.train.rating.3col": "0\t3\t5\n0\t1\t4\n1\t2\t3\n1\t0\t3\n",
    "ml-1m.test.rating": "0\t2\t5\t900\n1\t3\t4\t800\n",
    "ml-1m.test.negative": "(0,2)\t0\t2\n(1,3)\t1\t1\n",
    "item_index_to_movie_id.tsv": "item_index\tmovie_id\n0\t1193\n1\t661\n2\t914\n3\t3408\n"}


def test_ncf_ranks_the_target_among_the_published_negatives_flaws_included(write):
    dataset = load(write("ml-1m-ncf", NCF))
    split = dataset.published
    assert split.test.candidates.tolist() == [[2, 0, 2], [3, 1, 1]]     # the target first, again among the negatives
    assert split.test.target.tolist() == [2, 3] and split.test.masked is None
    assert split.train["item"].tolist() == [3, 2]
    assert split.validation.target.tolist() == [1, 0] and split.validation.candidates is None
    assert split.validation.masked.toarray().tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]
    assert split.train_and_validation["item"].tolist() == [3, 1, 2, 0]
    assert split.test.context().items.tolist() == [[3, 1], [2, 0]]
    assert dataset.items["movie"].tolist() == [1193, 661, 914, 3408]


def test_ncf_reads_the_authors_own_training_file(write):
    files = {file: content for file, content in NCF.items() if "3col" not in file and "index" not in file}
    original = {"ml-1m.train.rating": "0\t1\t4\t700\n1\t2\t3\t100\n0\t3\t5\t600\n1\t0\t3\t200\n"}
    dataset = load(write("ml-1m-ncf", files | original))
    assert rows(dataset) == [(0, 3, 600), (0, 1, 700), (0, 2, 900), (1, 2, 100), (1, 0, 200), (1, 3, 800)]
    assert dataset.published.validation.target.tolist() == [1, 0]


@pytest.mark.parametrize("negatives, says", [
    ("(0,2)\t0\t2\n(1,3)\t1\n", "line 2: 1 negatives, not 2"), ("(0,2)\t0\t2\n", "1 lines for 2 test cases"),
    ("(0,2)\t0\t2\n(1,2)\t1\t1\n", "line 2: not the user, the test item"),
    ("(0,2)\t0\t2\n(1,3)\t1\tx\n", "line 2: 'x'"),
    ("(0,2)\t0\t2\n(1,3)\t1\t77\n", "line 2: not the user, the test item and known items")])
def test_ncf_refuses_negatives_that_do_not_fit(write, negatives, says):
    dataset = load(write("ml-1m-ncf", NCF | {"ml-1m.test.negative": negatives}))
    with pytest.raises(DataError, match=says):
        dataset.published


def test_amazon_beauty(write):
    dataset = load(write("amazon-beauty-2014", {
        "interactions.tsv": "reviewerID\tasin\tunixReviewTime\nA2\tB1\t86400\nA1\tB1\t172800\nA1\tB0\t86400\n",
        "items.tsv": 'asin\ts3rec_item_id\ttitle\nB0\t2\t1" Brush\nB1\t1\t\n',
        "s3rec/Beauty_item2attributes.json": '{"1": [4, 5], "2": [6]}'}))
    assert rows(dataset) == [("A1", "B0", 86400), ("A1", "B1", 172800), ("A2", "B1", 86400)]
    assert dataset.title(0) == '1" Brush' and dataset.title(1) == "B1"
    assert dataset.items["attributes"].tolist() == [(6,), (4, 5)]


def gift_cards(**changes):
    review = {"overall": 5.0, "reviewerID": "A1", "asin": "B0", "unixReviewTime": 1529193600, "reviewText": "Good."}
    product = {"asin": "B0", "title": "Card", "description": ["For", "you."],
               "category": ["Gift Cards", "Gift Cards"], "brand": "", "image": ["https://x/1.jpg", "https://x/2.jpg"]}
    unreviewed = product | {"asin": "B9"}
    again = review | {"overall": 4.0, "unixReviewTime": 1529193601} | changes
    return {"Gift_Cards_5.json": f"{json.dumps(review)}\n{json.dumps(again)}\n",
            "meta_Gift_Cards.json.gz": gzip.compress(f"{json.dumps(product)}\n{json.dumps(unreviewed)}\n".encode())}


def test_amazon_gift_cards_keeps_reviewed_products_and_repeated_reviews(write):
    dataset = load(write("amazon-gift-cards-2018", gift_cards()))
    assert rows(dataset, "user", "item", "rating") == [("A1", "B0", 5.0), ("A1", "B0", 4.0)]
    assert dataset.items.to_dict("records") == [{
        "original": "B0", "title": "Card", "text": "For you.", "category": "Gift Cards", "brand": "",
        "image": "https://x/1.jpg"}]


def test_amazon_gift_cards_names_the_line_of_a_broken_record(write):
    files = gift_cards()
    broken = files["Gift_Cards_5.json"].replace('"asin": "B0", "unixReviewTime": 1529193601', '"unixReviewTime": 1')
    with pytest.raises(DataError, match="Gift_Cards_5.json, line 2: no field 'asin'"):
        load(write("amazon-gift-cards-2018", files | {"Gift_Cards_5.json": broken}))
    with pytest.raises(DataError, match="Gift_Cards_5.json, line 2: no JSON"):
        load(write("amazon-gift-cards-2018", files | {"Gift_Cards_5.json": files["Gift_Cards_5.json"][:-9]}))


@pytest.mark.parametrize("rating", [float("nan"), -1.0, "five"])
def test_amazon_gift_cards_refuses_what_is_no_rating(write, rating):
    with pytest.raises(DataError, match="row 2: .* is no rating"):
        load(write("amazon-gift-cards-2018", gift_cards(overall=rating)))


def test_amazon_scientific(write):
    product = {"title": "Relay", "description": "Starts motors.", "brand": "Supco", "categories": "Industrial,Relays"}
    dataset = load(write("amazon-scientific-2018", {
        "Scientific.inter.json": '{"0": [1, 0], "1": [1]}',
        "Scientific.item.json": json.dumps({"0": product, "1": product | {"title": "Staples"}}, indent=1)}))
    assert rows(dataset) == [(0, 1, 0), (0, 0, 1), (1, 1, 0)]
    assert dataset.items["title"].tolist() == ["Relay", "Staples"] and dataset.items["text"][0] == "Starts motors."


def test_taobao_names_behaviours_in_words(write):
    dataset = load(write("taobao-userbehavior-100k", {
        "small_sample.csv": "1,22,7,pv,30\r\n1,22,7,buy,40\r\n1,11,8,fav,10\r\n1,11,8,cart,20\r\n"}))
    assert rows(dataset, "user", "item", "timestamp", "behaviour") == [
        (1, 11, 10, "favourite"), (1, 11, 20, "cart"), (1, 22, 30, "view"), (1, 22, 40, "purchase")]
    assert dataset.items.to_dict("list") == {"original": [11, 22], "category": [8, 7]} and dataset.items_return


def test_taobao_refuses_an_unknown_behaviour(write):
    with pytest.raises(DataError, match="small_sample.csv, line 2: 'steal' is none of pv, fav, cart, buy"):
        load(write("taobao-userbehavior-100k", {"small_sample.csv": "1,2,3,pv,4\n1,2,3,steal,5\n"}))


def test_retailrocket_joins_its_three_files(write):
    header = "visitorid\titemid\tevent\n"
    dataset = load(write("retailrocket-processed", {
        "view_ecommerce.dat": f"{header}1\t5\t1\n2\t6\t1\n", "add_to_cart_ecommerce.dat": f"{header}1\t5\t1\n",
        "purchase_ecommerce.dat": f"{header}2\t6\t1\n"}))
    assert rows(dataset, "user", "item", "behaviour") == [
        (1, 5, "view"), (1, 5, "cart"), (2, 6, "view"), (2, 6, "purchase")]
    assert dataset.items_return


def test_diginetica_asks_exactly_the_published_examples(write):
    train = "".join(f"{n} {n + 1}\n" for n in range(1, 11))     # ten sessions
    examples = [("3 2 4", 3), ("3 2", 4), ("3", 2), ("7", 8)]   # three of the session 3 2 4 3, one of 7 8
    dataset = load(write("diginetica-sessions", {
        "train_sessions.txt": train,
        "test_prefix_target.tsv": "".join(f"{prefix}\t{target}\n" for prefix, target in examples)}))
    split = dataset.published
    original = dataset.items["original"].to_numpy()
    asked = {(" ".join(str(original[item]) for item in history if item >= 0), int(original[target]))
             for history, target in zip(split.test.context().items.tolist(), split.test.target)}
    assert asked == set(examples) and len(split.test) == 4
    assert dataset.n_users == 12 and split.test.masked is None
    assert split.train["user"].tolist() == [n // 2 for n in range(18)]         # nine of ten sessions
    assert original[split.validation.target].tolist() == [11] and len(split.train_and_validation) == 20
    assert not set(split.test.users) & set(split.train_and_validation["user"])


@pytest.mark.parametrize("train, test, says", [
    ("1 2\n\n", "1\t2\n", None), ("1 2\n\n3 4\n", "1\t2\n", "train_sessions.txt, line 2: the line is empty"),
    ("1 2\n3 x\n", "1\t2\n", "train_sessions.txt, line 2: 'x' is no whole number"),
    ("1 2\n", "1\t2\n1 2\n", "test_prefix_target.tsv, line 2: 1 field where 2 belong"),
    ("1 2\n", "1\t2\ny\t2\n", "test_prefix_target.tsv, line 2: 'y' is no whole number")])
def test_diginetica_refuses_a_malformed_line(write, train, test, says):
    name = write("diginetica-sessions", {"train_sessions.txt": train, "test_prefix_target.tsv": test})
    if says is None:
        assert load(name).n_users == 2
    else:
        with pytest.raises(DataError, match=says):
            load(name)


def test_lastfm_keeps_counts_and_friends(write):
    dataset = load(write("hetrec2011-lastfm-2k", {
        "user_artists.dat": "userID\tartistID\tweight\r\n5\t52\t100\r\n2\t51\t13883\r\n2\t52\t7\r\n",
        "artists.dat": 'id\tname\turl\tpictureURL\n51\t"Weird" Al\thttp://x\t\n52\tBjörk\thttp://x\thttp://y\n',
        "user_friends.dat": "userID\tfriendID\r\n2\t5\r\n5\t2\r\n"}))
    assert rows(dataset, "user", "item", "count") == [(2, 51, 13883), (2, 52, 7), (5, 52, 100)]
    assert dataset.items["title"].tolist() == ['"Weird" Al', "Björk"]
    assert dataset.friends.to_dict("list") == {"user": [0, 1], "friend": [1, 0]}
    assert "rating" not in dataset.interactions


def matlab(tmp_path, **variables):
    savemat(tmp_path / "one.mat", variables)
    return (tmp_path / "one.mat").read_bytes()


def test_ciao_keeps_ratings_of_zero_and_directed_trust(write, tmp_path):
    ratings = np.array([[9, 70, 3, 0, 5, 959756400], [4, 70, 2, 5, 4, 959670000], [9, 60, 1, 4, 4, 959670000]])
    dataset = load(write("ciao", {
        "rating_with_timestamp.mat": matlab(tmp_path, rating=ratings),
        "trustnetwork.mat": matlab(tmp_path, trustnetwork=np.array([[9, 4]]))}))
    assert rows(dataset, "user", "item", "rating") == [(4, 70, 5.0), (9, 60, 4.0), (9, 70, 0.0)]
    assert dataset.friends.to_dict("list") == {"user": [1], "friend": [0]}
    assert dataset.items.to_dict("list") == {"original": [60, 70], "category": [1, 3]}


@pytest.mark.parametrize("broken", ["empty", "text", "truncated", "other variable", "other width"])
def test_ciao_refuses_a_file_without_its_matrix(write, tmp_path, broken):
    content = {"empty": b"", "text": b"user,item\n" * 50, "truncated": matlab(tmp_path, rating=np.eye(6))[:-100],
               "other variable": matlab(tmp_path, other=np.eye(6)), "other width": matlab(tmp_path, rating=np.eye(5))}
    with pytest.raises(DataError, match="timestamp.mat: no MATLAB file with a matrix 'rating' of 6 columns"):
        load(write("ciao", {"rating_with_timestamp.mat": content[broken]}))


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="Unknown data set 'ml1m'. Did you mean 'ml-1m'?"):
        load("ml1m")


# ------------------------------------------------------------------------------------------------ what was shown


COAT = {"train.ascii": "5 0 2\n0 3 0\n", "test.ascii": "0 1 0\n4 0 0\n", "propensities.ascii": ".1 .2 .3\n.4 .5 .6\n",
        "user_features.ascii": "1 0\n0 1\n", "user_features_map.txt": "gender:men\ngender:women",
        "item_features.ascii": "1\n0\n1\n", "item_features_map.txt": "color:red"}


def test_coat_trains_on_what_was_chosen_and_tests_what_was_drawn(write):
    dataset = load(write("coat", COAT))
    split = dataset.published
    assert rows(dataset, "user", "item", "rating") == [(0, 0, 5.0), (0, 2, 2.0), (0, 1, 1.0), (1, 1, 3.0), (1, 0, 4.0)]
    assert split.train["rating"].tolist() == [5, 2, 3] and split.test.rating.tolist() == [1, 4]
    assert dataset.users["gender:women"].tolist() == [0, 1] and dataset.items["color:red"].tolist() == [1, 0, 1]
    chances = coat_propensities(Files(CATALOG["coat"]))
    assert chances.tolist() == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]


@pytest.mark.parametrize("file, content, says", [
    ("train.ascii", "5 0 2\n0 3\n", "train.ascii, line 2: 2 numbers, and 3 in the first"),
    ("train.ascii", "5 0 x\n0 3 0\n", "train.ascii: could not convert"),
    ("item_features.ascii", "1\n0\n", "2 rows of 1 features, and not 3 rows of the 1"),
])
def test_a_damaged_coat_is_refused(write, file, content, says):
    with pytest.raises(DataError, match=says):
        load(write("coat", COAT | {file: content}))


def test_open_bandit_is_a_log_of_decisions_in_the_order_of_time(write):
    log = (",timestamp,item_id,position,click,propensity_score,user_feature_0\n"
           "0,2019-11-24 00:00:02,7,1,0,.5,a\n1,2019-11-24 00:00:01,3,2,1,.25,b\n")
    write("open-bandit-small", {"bts/men/men.csv": log, "bts/men/item_context.csv": ",item_id,item_feature_0\n0,3,.5\n1,7,.1\n"})
    files = Files(DECISIONS)
    frame, items = DECISIONS.read(files, "bts", "men")
    assert frame[["action", "position", "reward", "propensity"]].values.tolist() == [[3, 2, 1, 0.25], [7, 1, 0, 0.5]]
    assert items["item_id"].tolist() == [3, 7] and set(files.sha256) == {"bts/men/men.csv", "bts/men/item_context.csv"}


def test_every_source_says_where_it_comes_from_and_every_alias_leads_to_one():
    for source in (*CATALOG.values(), DECISIONS):
        assert source.page.startswith("https://") and source.terms and source.citation
        for download in [source.archive, *source.downloads.values()]:
            assert download is None or (download.url.startswith("https://") and len(download.sha256) == 64)
    assert set(ALIASES.values()) <= set(CATALOG)

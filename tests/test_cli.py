"""The command line: what people type, what they read, and what programs parse."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import recbook as rb
from recbook.cli import main
from recbook.cli.recommend import find_item
from recbook.cli.shared import load_data, read_settings
from recbook.errors import DataError, ModelError, UnknownName

ROOT = Path(__file__).resolve().parents[1]
SHOP = "shop:n_users=300,n_events=20000"
SUBCOMMANDS = (["data"], ["data", "list"], ["data", "fetch"], ["data", "describe"], ["train"], ["evaluate"],
               ["recommend"], ["tune"], ["off-policy"], ["export"], ["serve"], ["experiment"])
FILMS = ("Alien", "Brazil", "Casablanca", "Diva", "Eraserhead", "Fargo", "Gilda", "Heat")


def recbook(*arguments, folder, **options):
    """The command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "recbook", *arguments], cwd=folder, env=environment, text=True,
                          capture_output=True, timeout=120, **options)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with ratings of films in a file, and two runs on them: nobody rates a film twice."""
    folder = tmp_path_factory.mktemp("workplace")
    lines = ["who,film,when,stars"]
    for user in range(40):  # one half likes the first films of the alphabet, the other half the last
        taken = sorted(range(8), key=lambda film: (film * 7 + user * 3) % 8 + (8 if (film < 4) == (user % 2) else 0))
        lines += [f"u{user},{FILMS[film]},{100 * user + step},{5 - step // 2}" for step, film in enumerate(taken[:6])]
    (folder / "films.csv").write_text("\n".join(lines) + "\n")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for model in ("bpr-mf", "ease"):
            assert main(["train", "--model", model, *FILMS_CSV, "--epochs", "3", "--device", "cpu"]) == 0
    finally:
        os.chdir(before)
    return folder


FILMS_CSV = ("--csv", "films.csv", "--user", "who", "--item", "film", "--timestamp", "when")


@pytest.fixture
def say(workplace, monkeypatch, capsys):
    """`say("evaluate", ...)` in that folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(workplace)

    def run(*arguments):
        capsys.readouterr()
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def refuses(say):
    """`refuses(..., because="...")`: exit code 1 and one line."""
    def run(*arguments, because):
        code, out, err = say(*arguments)
        *notes, last = err.splitlines()
        assert (code, out) == (1, "")
        assert last.startswith("recbook: ") and because in last
        assert "Traceback" not in err

    return run


# ------------------------------------------------------------------------------------------------ help


@pytest.mark.parametrize("command", SUBCOMMANDS, ids=" ".join)
def test_each_subcommand_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    assert "Example: recbook " + " ".join(command) in capsys.readouterr().out


def test_help_does_not_wait_for_pytorch(tmp_path):
    code = "import sys, recbook.cli\ntry: recbook.cli.main(['--help'])\nexcept SystemExit: pass\n" \
           "assert not {'torch', 'pandas', 'numpy'} & set(sys.modules)"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert time.perf_counter() - start < 1


def test_every_name_of_the_package_is_there():
    for name in rb.__all__:
        assert getattr(rb, name) is not None
    assert set(rb.__all__) <= set(dir(rb))
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        rb.nope


@pytest.mark.parametrize("arguments", [[], ["train"], ["dance"], ["train", "--model", "ease", "--epochs", "0"],
                                       ["train", "--model", "ease", "--seed", "-1"],
                                       ["train", "--model", "ease", "--seed", "99999999999"],
                                       ["recommend", "-k", "-3"], ["recommend", "--user", "1", "--history", "a"]])
def test_wrong_usage_is_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: recbook" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ end to end


def test_train_evaluate_recommend_in_processes_of_their_own(tmp_path):
    trained = recbook("train", "--model", "pure-svd", "--dataset", SHOP, "--set", "dim=8", "--json", folder=tmp_path)
    assert trained.returncode == 0, trained.stderr
    document = json.loads(trained.stdout)
    assert document["run"] == "runs/shop-pure-svd" and document["config"]["dim"] == 8 and document["split"] == "time"

    evaluated = recbook("evaluate", "--part", "validation", "--json", folder=tmp_path)
    assert json.loads(evaluated.stdout)["metrics"] == document["validation"]

    recommended = recbook("recommend", "-k", "4", folder=tmp_path)
    assert recommended.returncode == 0
    titles = set(rb.load("shop", n_users=300, n_events=20000).items["title"])
    table = recommended.stdout.split("Recommended by pure-svd:\n")[1].splitlines()
    assert table[0].split() == ["score", "title"] and len(table) == 5
    assert all(line.split(maxsplit=2)[2] in titles for line in table[1:])
    assert "this is for the first user, 0" in recommended.stderr


def test_a_closed_pipe_is_silent(tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "recbook", "data", "list"], cwd=ROOT, stdout=write,
                          stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell closes it")
def test_a_closed_console_and_one_of_few_letters_are_no_errors(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    closed = subprocess.run(f"{sys.executable} -m recbook data list >&-", shell=True, cwd=tmp_path, env=environment,
                            capture_output=True, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")
    (tmp_path / "log.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user in "abc" for item in "東京都ü"))
    ascii_only = environment | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    train = subprocess.run([sys.executable, "-m", "recbook", "train", "--model", "popularity", "--csv", "log.csv"],
                           cwd=tmp_path, env=ascii_only, capture_output=True)
    assert train.returncode == 0, train.stderr
    shown = subprocess.run([sys.executable, "-m", "recbook", "recommend", "--user", "a"], cwd=tmp_path, env=ascii_only,
                           capture_output=True)
    assert shown.returncode == 0 and b"Traceback" not in shown.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to a child")
def test_an_interrupted_training_says_how_to_go_on_and_does(tmp_path, monkeypatch, capsys):
    command = ["train", "--model", "bpr-mf", "--dataset", SHOP, "--patience", "1000", "--device", "cpu"]
    # A shell that runs the tests in the background has its children ignore SIGINT.
    process = subprocess.Popen([sys.executable, "-m", "recbook", *command, "--epochs", "10000"], cwd=tmp_path,
                               env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    checkpoint = tmp_path / "runs/shop-bpr-mf/run.json"
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1].splitlines()[-1] == \
        "recbook: interrupted; the same command with --resume goes on"
    assert process.returncode == 130
    done = len(json.loads(checkpoint.read_text())["history"])

    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "runs/shop-bpr-mf"]) == 1
    assert "was interrupted: the same `recbook train` with --resume goes on" in capsys.readouterr().err
    assert main([*command, "--epochs", str(done + 1), "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["epochs"] == done + 1
    assert main([*command, "--seed", "7", "--resume"]) == 1
    assert "holds another run: its seed is 0" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------ data


def test_the_list_says_where_each_data_set_is(say, tmp_path, monkeypatch):
    monkeypatch.setenv("RECBOOK_DATA", str(tmp_path))
    monkeypatch.setenv("RECBOOK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "ciao").mkdir()
    (tmp_path / "ciao" / "rating.txt").write_text("1\n")
    (tmp_path / "cache" / "ml-1m").mkdir(parents=True)
    (tmp_path / "cache" / "ml-1m" / "ml-1m.zip").write_text("")
    code, out, _ = say("data", "list", "--json")
    where = {row["name"]: row["files"] for row in json.loads(out)}
    assert code == 0
    assert where.items() >= {"shop": "made on the spot", "ciao": "present", "ml-1m": "cached",
                             "ml-100k": "downloadable", "diginetica-sessions": "by hand"}.items()


def test_describe_counts(say):
    code, out, _ = say("data", "describe", SHOP, "--json")
    facts = json.loads(out)
    assert (facts["users"], facts["items"], facts["interactions"]) == (300, 360, 20000)
    assert "20,000" in say("data", "describe", SHOP)[1]


def test_the_shop_needs_no_fetching(say):
    assert say("data", "fetch", "shop", "--json")[:2] == (0, "[]\n")


@pytest.mark.parametrize("name, because", [
    ("ml-1n", "Did you mean 'ml-1m'?"), ("shop:n_user=3", "Did you mean 'n_users'?"), ("shop:n_users", "name=value"),
    ("shop:n_users=many", "n_users is a whole number"), ("shop:n_items=3", "the shop needs two items in each"),
    ("ml-1m:n_users=3", "only the shop has")])
def test_a_wrong_data_set_is_refused(refuses, name, because):
    refuses("data", "describe", name, because=because)


def test_a_missing_file_is_one_line(refuses, monkeypatch, tmp_path):
    monkeypatch.setenv("RECBOOK_DATA", str(tmp_path))
    monkeypatch.setenv("RECBOOK_CACHE", str(tmp_path))
    refuses("data", "fetch", "ciao", because="Get it from")
    refuses("train", "--model", "ease", "--csv", "nope.csv", because="nope.csv")


# ------------------------------------------------------------------------------------------------ train


def test_settings_take_the_kind_of_their_defaults():
    defaults = {"dim": 32, "l2": 0.1, "deep": False, "widths": (64, 32), "name": "relu"}
    assert read_settings(["dim=8", "l2=1", "deep=True", "widths=(4,)", "name=tanh"], defaults, "setting") == {
        "dim": 8, "l2": 1.0, "deep": True, "widths": (4,), "name": "tanh"}
    for pair in ("dim", "dim=", "=8", "dim=8.5", "dim=x", "l2=x", "deep=1", "widths=3"):
        with pytest.raises(ModelError):
            read_settings([pair], defaults, "setting")
    with pytest.raises(UnknownName, match="Did you mean 'dim'"):
        read_settings(["dims=8"], defaults, "setting")


@pytest.mark.parametrize("arguments, because", [
    (["--model", "bpr"], "Did you mean 'bpr-mf'?"),
    (["--model", "?"], "Known: amf, attentive-gru, autorec, bias, bpr-mf"),
    (["--model", "ease", "--split", "tim"], "Did you mean 'time'?"),
    (["--model", "ease", "--split", "published"], "no published split; choose one of last-item"),
    (["--model", "bpr-mf", "--set", "dim"], "write name=value"),
    (["--model", "bpr-mf", "--set", "dim=big"], "dim is a whole number"),
    (["--model", "bpr-mf", "--set", "n_users=3"], "Unknown setting of bpr-mf 'n_users'"),
    (["--model", "bpr-mf", "--set", "dim=-1"], "dim=-1: a whole number of at least 1"),
    *((["--model", model, "--set", "dim=0"], "dim=0: a whole number of at least 1") for model in (
        "sasrec", "gru4rec", "max-pooled-rnn", "narm", "attentive-gru", "caser", "item2vec", "svd++", "bpr-mf", "gmf",
        "ials", "funk-svd", "logistic-mf", "neumf")),
    (["--model", "sasrec", "--set", "blocks=-2"], "blocks=-2: a whole number of at least 1"),
    (["--model", "bpr-mf", "--set", "l2=-5"], "l2=-5.0: a number of at least 0"),
    (["--model", "rp3beta", "--set", "alpha=-1"], "alpha=-1.0: a number of at least 0"),
    (["--model", "sasrec", "--set", "stride=abc"], "stride='abc': a whole number of at least 1, or None"),
    (["--model", "sasrec", "--set", "stride=7.5"], "stride=7.5: a whole number of at least 1, or None"),
    *((["--model", "neumf", "--set", f"layers={layers}"], "layers=(") for layers in ("('a',)", "(8.5,4)", "(True,)")),
    (["--model", "pure-svd", "--set", "dim=5000"], "PureSVD: dim=5000 is to be below the number of users and of items"),
    (["--model", "bpr-mf", "--set", "dim=999999999999999"], "dim=999999999999999 needs more memory than there is"),
    (["--model", "funk-svd", "--split", "ratio"], "choose --split last-item or --split time"),
    (["--model", "ease", "--user", "who"], "they go with --csv")])
def test_a_wrong_training_is_refused(refuses, arguments, because):
    refuses("train", "--dataset" if "--user" not in arguments else "--out", SHOP, *arguments, because=because)


def test_memory_that_is_not_there_is_a_line(refuses, monkeypatch):
    def fit(*given, **named):
        raise MemoryError

    monkeypatch.setattr(rb, "fit", fit)
    refuses("train", "--model", "ease", "--dataset", SHOP, "--out", "large", because="needs more memory than there is")


def test_an_absent_device_is_refused(refuses, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refuses("train", "--model", "bpr-mf", "--dataset", SHOP, "--device", "cuda", because="use --device auto")


def test_a_misnamed_column_is_named(refuses):
    refuses("train", "--model", "ease", "--csv", "films.csv", "--user", "whom", "--item", "film",
            because="no column 'whom' for user; the columns are 'who', 'film', 'when', 'stars'")


def test_a_file_is_read_as_one_says(say, tmp_path):
    """Separator, letters, day first, names of behaviours, ids as text, and files of items, users and friends."""
    (tmp_path / "log.csv").write_text("kunde;ware;wann;was\n" + "".join(
        f"{user:03};{'äbcdefgh'[(user + step) % 8]};{step + 1:02}.02.2024;{'pv' if step else 'buy'}\n"
        for user in range(12) for step in range(5)), encoding="latin-1")
    (tmp_path / "items.csv").write_text("ware;title;price\n" + "".join(f"{item};The {item}!;{place}.5\n"
                                        for place, item in enumerate("äbcdefghz")), encoding="latin-1")
    (tmp_path / "friends.csv").write_text("kunde;freund\n" + "".join(f"{user:03};{user + 1:03}\n" for user in range(11)))
    more = ["--csv", str(tmp_path / "log.csv"), "--user", "kunde", "--item", "ware", "--timestamp", "wann",
            "--behaviour", "was", "--items", str(tmp_path / "items.csv"), "--friends", str(tmp_path / "friends.csv"),
            "--read", "separator=;", "--read", "encoding=latin-1", "--read", "dates=day first",
            "--read", "behaviours={'pv': 'view', 'buy': 'purchase'}"]
    facts = json.loads(say("data", "describe", *more, "--json")[1])
    assert (facts["users"], facts["items"], facts["interactions"]) == (12, 9, 60)
    assert say("train", "--model", "popularity", *more, "--out", "german")[0] == 0
    code, out, _ = say("recommend", "german", "--user", "007", "--json")
    document = json.loads(out)
    assert document["history"][0] == {"item": "h", "title": "The h!"} and "z" in {row["item"] for row in document["recommendations"]}
    dataset = load_data(json.loads(Path("german/model.json").read_text())["source"])
    assert dataset.items["price"].tolist() == [place + 0.5 for place in range(9)] and len(dataset.friends) == 11
    assert set(dataset.files) == {"log.csv", "items.csv", "friends.csv"}


def test_a_wrong_way_to_read_is_refused(refuses, say, workplace):
    refuses("data", "describe", because="Name a data set")
    refuses("data", "describe", "shop", "--csv", "films.csv", because="Name a data set")
    refuses("data", "describe", "--csv", "films.csv", "--user", "who", "--item", "film", "--read", "seperator=;",
            because="Did you mean 'separator'?")
    refuses("data", "describe", "--csv", "films.csv", "--user", "who", "--item", "film", "--read", "header=no",
            because="header='no': say True or False")
    refuses("data", "describe", "--csv", "/dev/stdin", because="--csv /dev/stdin: a file is needed")
    for way, because in (("separator=5", "separator=5: text is needed"), ("encoding=5", "encoding=5"),
                         ("items_return=maybe", "say True, False or 'once'"), ("rating_scale=5", "rating_scale=5: say how low"),
                         ("behaviours=x", "behaviours='x': say which is which"), ("dates=5", "dates=5: say 'day first'")):
        refuses("data", "describe", "--csv", "films.csv", "--user", "who", "--item", "film", "--timestamp", "when",
                "--read", way, because=because)
    refuses("data", "describe", "--csv", ".", because="this is a folder")
    refuses("train", "--model", "ease", "--dataset", SHOP, "--items", "films.csv", because="they go with --csv")


def test_a_file_without_a_header_is_read_by_place(say, tmp_path):
    (tmp_path / "log.csv").write_text("".join(f"{user}|i{(user + step) % 9}|{step}\n" for user in range(9) for step in range(4)))
    facts = json.loads(say("data", "describe", "--csv", str(tmp_path / "log.csv"), "--user", "0", "--item", "1",
                           "--timestamp", "2", "--read", "header=False", "--read", "separator=|", "--json")[1])
    assert (facts["users"], facts["items"], facts["interactions"]) == (9, 9, 36)


def test_a_run_is_not_overwritten_by_one_on_another_file_of_that_name(refuses, say, workplace):
    (workplace / "elsewhere").mkdir()
    (workplace / "elsewhere" / "films.csv").write_bytes((workplace / "films.csv").read_bytes())
    elsewhere = ["elsewhere/films.csv" if part == "films.csv" else part for part in FILMS_CSV]
    refuses("train", "--model", "ease", *elsewhere, because="choose another folder with --out")
    assert say("train", "--model", "popularity", *FILMS_CSV, "--out", "again")[0] == 0
    assert say("train", "--model", "popularity", *FILMS_CSV, "--out", "again")[0] == 0


def test_where_no_run_can_be_kept_nothing_is_trained(refuses, workplace):
    refuses("train", "--model", "ease", *FILMS_CSV, "--out", "films.csv", because="films.csv can hold no run")


def test_a_run_keeps_what_it_was_made_from(workplace):
    about = json.loads((workplace / "runs/films-bpr-mf/model.json").read_text())
    assert about["split"] == "last-item" and about["seed"] == 0 and len(about["history"]) == 3
    assert list(about["files"]) == ["films.csv"] and set(about["validation"]) == {"HR@10", "NDCG@10", "MRR"}


def test_a_model_of_ratings_is_judged_by_ratings(say):
    code, out, err = say("train", "--model", "bias", *FILMS_CSV, "--rating", "stars", "--out", "rated", "--json")
    values = json.loads(out)["validation"]
    assert set(values) == {"RMSE", "MAE"}
    assert 0 < values["MAE"]["value"] <= values["RMSE"]["value"] < 2
    assert set(json.loads(say("evaluate", "rated", "--json")[1])["metrics"]) == {"RMSE", "MAE"}


def test_the_shops_rare_ratings_are_the_cases(say):
    """Most events of the shop carry no rating: they are no cases, instead of making RMSE not a number."""
    code, out, _ = say("train", "--model", "funk-svd", "--dataset", SHOP, "--epochs", "1", "--json", "--out", "rare")
    assert code == 0 and math.isfinite(json.loads(out)["validation"]["RMSE"]["value"])


# ------------------------------------------------------------------------------------------------ evaluate


def test_two_metrics_together_are_what_each_is_alone(say):
    """Ratings are compared where there are some; ranks are measured everywhere."""
    def value(*metrics):
        return json.loads(say("evaluate", "rare", "--metrics", *metrics, "--json")[1])["metrics"]

    say("train", "--model", "funk-svd", "--dataset", SHOP, "--epochs", "1", "--out", "rare")
    assert value("RMSE", "NDCG@10") == value("RMSE") | value("NDCG@10")


def test_evaluation_is_that_of_the_package(say, workplace):
    code, out, _ = say("evaluate", "runs/films-ease", "--metrics", "NDCG@3", "HR@1", "--json")
    dataset = load_data({"csv": workplace / "films.csv", "user": "who", "item": "film", "timestamp": "when"})
    split = rb.leave_last_out(dataset)
    report = rb.evaluate(rb.EASE(40, 8).fit(split), split.test, ["NDCG@3", "HR@1"])
    metrics = json.loads(out)["metrics"]
    assert list(metrics) == ["NDCG@3", "HR@1"]
    assert metrics["NDCG@3"]["value"] == pytest.approx(report["NDCG@3"])
    assert (metrics["HR@1"]["low"], metrics["HR@1"]["high"]) == pytest.approx(report.interval("HR@1"))


def test_a_table_has_its_interval_and_the_sampled_protocol_says_so(say):
    code, out, err = say("evaluate", "runs/films-ease", "--candidates", "2", "--metrics", "HR@3")
    header, row = out.splitlines()
    assert header.split() == ["metric", "value", "95", "%", "low", "95", "%", "high"]
    assert row.split() == ["HR@3"] + 3 * ["1.0000"]  # the right item and two others: always among three
    assert "the sampled protocol: each right item among 2 random ones" in err


def test_a_wrong_evaluation_is_refused(refuses, workplace, tmp_path):
    refuses("evaluate", "runs/films-ease", "--metrics", "NDCG@10", "HRR@10", because="Did you mean 'HR@10'?")
    refuses("evaluate", "runs/films-ease", "--metrics", "RMSE", because="ease ranks and predicts no ratings")
    refuses("evaluate", "runs/none", because="No checkpoint: runs/none/model.json does not exist")
    refuses("evaluate", str(tmp_path), because="No checkpoint")
    rb.save_model(rb.EASE(2, 2), tmp_path)
    refuses("evaluate", str(tmp_path), because="was not made by `recbook train`")


def test_without_any_run_the_way_to_one_is_shown(refuses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuses("recommend", because="train a model first, as in `recbook train --model bpr-mf`")


def test_changed_data_are_refused(refuses, say, workplace):
    say("train", "--model", "popularity", *FILMS_CSV, "--out", "old")
    content = (workplace / "films.csv").read_text()
    (workplace / "films.csv").write_text(content + "u0,Heat,99999,5\n")
    try:
        refuses("evaluate", "old", because="films.csv is not what old was trained on")
    finally:
        (workplace / "films.csv").write_text(content)


def test_a_run_is_not_resumed_on_changed_data(refuses, say, tmp_path):
    """The first export had the clock backwards: what was tested would now have been trained on."""
    command = ["train", "--model", "bpr-mf", "--csv", str(tmp_path / "log.csv"), "--timestamp", "when",
               "--out", str(tmp_path / "run"), "--epochs"]
    for sign in (-1, 1):
        (tmp_path / "log.csv").write_text("user,item,when\n" + "".join(
            f"u{user},i{(user + 3 * step) % 20},{500 + sign * step}\n" for user in range(20) for step in range(6)))
        if sign < 0:
            assert say(*command, "1")[0] == 0
    refuses(*command, "2", "--resume", because="was trained on other data: the training part of log has changed")
    assert say(*command, "2")[0] == 0                                   # anew


@pytest.mark.parametrize("metric", ["NDCG@9999999999", "MAP@99999999999999999999999"])
def test_a_list_longer_than_the_catalogue_is_measured(say, metric):
    whole = json.loads(say("evaluate", "runs/films-ease", "--metrics", metric, f"{metric[:metric.index('@')]}@8", "--json")[1])
    first, second = whole["metrics"].values()
    assert first == second


def test_more_candidates_than_anybody_lacks_are_refused(refuses):
    refuses("evaluate", "runs/films-ease", "--candidates", "1000000", because="1,000,000 candidates are asked for")


# ------------------------------------------------------------------------------------------------ recommend


@pytest.mark.parametrize("run", ["runs/films-bpr-mf", "runs/films-ease"])
@pytest.mark.parametrize("user", ["u0", "u7", "u31"])
def test_nothing_that_a_user_has_is_recommended(say, workplace, run, user):
    lines = [line.split(",") for line in (workplace / "films.csv").read_text().splitlines()]
    has = [film for who, film, *_ in lines if who == user]
    code, out, _ = say("recommend", run, "--user", user, "-k", "8", "--json")
    document = json.loads(out)
    assert [item["item"] for item in document["history"]] == has[-5:]
    assert {item["item"] for item in document["recommendations"]} == set(FILMS) - set(has)
    scores = [item["score"] for item in document["recommendations"]]
    assert scores == sorted(scores, reverse=True)


def test_what_returns_in_the_shop_is_recommended_again(say):
    say("train", "--model", "popularity", "--dataset", SHOP, "--out", "popular")
    document = json.loads(say("recommend", "popular", "--user", "5", "-k", "360", "--json")[1])
    assert len(document["recommendations"]) == 360


def test_a_history_is_given_by_titles(say, workplace):
    say("train", "--model", "ease", "--dataset", SHOP, "--out", "shop-ease")
    dataset = load_data({"dataset": SHOP})
    titles = [dataset.title(7), dataset.title(100)]
    by_title, by_id = (json.loads(say("recommend", "shop-ease", "--json", "--history", *history)[1])
                       for history in ([title.upper() for title in titles], ["7", "100"]))
    assert by_title == by_id and by_title["user"] is None
    assert [item["title"] for item in by_title["history"]] == titles
    model, _ = rb.load_model("shop-ease")
    weights = model.weight[[7, 100]].sum(0)
    assert by_title["recommendations"][0]["score"] == pytest.approx(float(weights.max()))
    assert by_title["recommendations"][0]["title"] == dataset.title(weights.argmax())


def test_a_typed_history_is_not_recommended_where_nothing_returns(say):
    document = json.loads(say("recommend", "runs/films-ease", "--history", "alien", "heat", "-k", "8", "--json")[1])
    assert {item["item"] for item in document["recommendations"]} == set(FILMS) - {"Alien", "Heat"}


def test_a_wrong_question_is_refused(refuses, say):
    refuses("recommend", "runs/films-ease", "--user", "u9x", because="user of films 'u9x'. Did you mean 'u9'?")
    refuses("recommend", "runs/films-ease", "--history", "Caasblanca", because="Did you mean 'Casablanca'?")
    assert say("recommend", "runs/films-ease", "-k", "9", "--user", "u0")[0] == 0           # what there is
    refuses("recommend", "runs/films-bpr-mf", "--history", "Alien",
            because="bpr-mf knows users by their id and cannot read a history; ease, pure-svd and ials can")


def test_an_item_is_found_by_part_of_its_title_or_its_id():
    import pandas as pd

    items = pd.DataFrame({"item": [1, 2, 3, 4], "title": ["Star Wars: A New Hope", "Stargate", "Emma", "Emma"]})
    dataset = rb.from_frame(pd.DataFrame({"user": [1], "item": [1]}), items=items)
    assert find_item(dataset, "STARGATE") == find_item(dataset, "2") == 1
    with pytest.raises(UnknownName, match="Star Wars: A New Hope"):
        find_item(dataset, "star wars")
    with pytest.raises(DataError, match="2 items are called 'emma': say which one by its id, 3, 4"):
        find_item(dataset, "emma")


# ------------------------------------------------------------------------------------------------ experiment


def test_experiments_are_listed_and_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "recbook").mkdir()
    (tmp_path / "experiments" / "trial_of_the_command.py").write_text(
        '"""What it tries.\n\nMore."""\n\n\ndef main(argv):\n    print("ran with", argv)\n')
    (tmp_path / "experiments" / "_shared.py").write_text("")
    monkeypatch.chdir(tmp_path / "experiments")
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["experiment", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "trial_of_the_command", "what": "What it tries."}]
    assert main(["experiment", "trial_of_the_command", "--seeds", "5"]) == 0
    assert capsys.readouterr().out == "ran with ['--seeds', '5']\n"
    assert main(["experiment", "trial"]) == 1
    assert "Unknown experiment 'trial'" in capsys.readouterr().err


def test_without_a_checkout_there_are_no_experiments(refuses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuses("experiment", because="run this in a checkout of recbook")


# ------------------------------------------------------------------------------------------------ tomorrow


def test_a_model_is_used_on_data_that_have_grown(say, refuses, workplace):
    """One row more is no dead end: the model is carried over by the ids."""
    log = workplace / "growing.csv"
    log.write_text((workplace / "films.csv").read_text())
    own = ["--csv", "growing.csv", *FILMS_CSV[2:]]
    assert say("train", "--model", "ease", *own, "--out", "grows")[0] == 0
    before = json.loads(say("recommend", "grows", "--user", "u3", "--json")[1])["recommendations"]
    log.write_text(log.read_text() + "abe,Heat,99999,5\n")              # abe comes first: every user has another number
    refuses("recommend", "grows", "--user", "u3", because="recommend --grown")
    after = json.loads(say("recommend", "grows", "--user", "u3", "--grown", "--json")[1])["recommendations"]
    assert after == before
    assert json.loads(say("recommend", "grows", "--user", "abe", "--grown", "--json")[1])["history"][0]["item"] == "Heat"
    log.write_text(log.read_text() + "abe,Zelig,100000,5\n")
    _, out, err = say("recommend", "grows", "--user", "u3", "--grown", "--json")
    assert json.loads(out)["recommendations"] == before
    (told,) = [line for line in err.splitlines() if "such as 'Zelig'" in line]
    assert told.startswith("recbook: ") and ".py" not in err            # a line of words, not a place in the code


def test_lists_for_everybody_and_of_some_items(say, refuses, workplace, tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    out = tmp_path / "lists.parquet"
    say("train", "--model", "popularity", "--dataset", SHOP, "--out", "popular")
    assert say("recommend", "popular", "--all", "--out", str(out), "-k", "3")[0] == 0
    table = pd.read_parquet(out)
    assert len(table) == 900 and list(table) == ["user", "rank", "item", "score", "title"]
    dataset = load_data({"dataset": SHOP})
    category = dataset.items["category"].iloc[0]
    document = json.loads(say("recommend", "popular", "--user", "5", "--where", f"category={category}", "--json")[1])
    assert {dataset.items["category"].iloc[int(row["item"])] for row in document["recommendations"]} == {category}
    refuses("recommend", "popular", "--all", because="say where to with --out")
    refuses("recommend", "popular", "--out", "x", because="--out is where --all writes to")
    refuses("recommend", "popular", "--where", "colour", because="write column=value")
    refuses("recommend", "popular", "--where", "colour=red", because="Unknown column of the items")
    refuses("recommend", "popular", "--where", f"category={category[:-1]}", because=f"Did you mean {category!r}?")

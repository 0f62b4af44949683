"""Lock files and listings of packages: every format says the same of one environment, and no secret gets in."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange.capturing import _fact
from carnet_store.exchange.importers import environment
from carnet_store.exchange.importers.packages import listing, normal
from carnet_store.exchange.importers.things import Source, Thing, Unread

LOCKS = (
    "uv.lock",
    "pylock.toml",
    "requirements.export.txt",
    "requirements.freeze.txt",
    "pip-inspect.json",
    "conda.mlflow.yaml",
)
SHA = "0123456789abcdef0123456789abcdef01234567"
HASH = "a" * 64


def read(path: Path) -> tuple[list[Thing], list[Unread]]:
    found = list(environment.read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:  # each must be able to stand in a ledger
        canonical.encode(dict(_fact(thing, []).value))
    return things, [one for one in found if isinstance(one, Unread)]


def one(tmp_path: Path, text: str, name: str = "requirements.txt") -> Thing:
    (tmp_path / name).write_text(text)
    return read(tmp_path / name)[0][-1]


@pytest.fixture
def env(real_tools: Path) -> Path:
    return real_tools / "env"


def frozen(env: Path) -> dict[str, str]:
    lines = (env / "requirements.freeze.txt").read_text().splitlines()
    return {normal(line.split("==")[0]): line.split("==")[1] for line in lines}


@pytest.mark.parametrize("name", LOCKS[:4])
def test_each_format_says_the_same_of_one_environment(env: Path, name: str) -> None:
    """R046: exact versions from a lock; uv's three formats and the freeze agree on the seven packages."""
    (thing,), unread = read(env / name)
    assert unread == []
    assert thing.attrs["packages"] == frozen(env) == environment.packages_of(env / name)
    assert len(thing.attrs["packages"]) == 7
    assert thing.attrs["pinned"] is True


def test_hashes_are_counted_and_what_has_none_is_named(env: Path) -> None:
    """R046: package versions with hashes; a freeze has none, a lock has one for each file."""
    hashed = {name: read(env / name)[0][0].attrs["hashed"] for name in LOCKS[:4]}
    assert hashed == {"uv.lock": 7, "pylock.toml": 7, "requirements.export.txt": 7, "requirements.freeze.txt": 0}
    assert read(env / "requirements.freeze.txt")[0][0].attrs["unhashed"] == sorted(frozen(env))


def test_interpreter_and_platform_are_read(env: Path) -> None:
    """R046: the interpreter, the platform, the project that a lock is of."""
    attrs = {name: read(env / name)[0][0].attrs for name in LOCKS}
    assert attrs["uv.lock"]["python"] == attrs["pylock.toml"]["python"] == ">=3.11, <3.13"
    assert attrs["uv.lock"]["project"] == "churn 1.4.0"
    assert attrs["pip-inspect.json"]["python"] == attrs["conda.mlflow.yaml"]["python"] == "3.11.7"
    assert attrs["pip-inspect.json"]["platform"] == ["cpython", "linux", "x86_64"]
    assert attrs["pip-inspect.json"]["packages"] == frozen(env) | {"pip": "26.3"}
    assert attrs["conda.mlflow.yaml"]["packages"]["mlflow"] == "3.17.2"
    assert attrs["conda.mlflow.yaml"]["unpinned"] == ["pip"]
    assert not attrs["conda.mlflow.yaml"]["pinned"]


def test_a_folder_gives_one_environment_a_file(env: Path) -> None:
    """Each is known by its bytes, which travel with it; pyproject.toml is no listing."""
    things, unread = read(env)
    assert [thing.name for thing in things] == sorted(f"env/{name}" for name in LOCKS)
    assert unread == []
    for thing in things:
        raw = (env / thing.name.partition("/")[2]).read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        assert thing.ref == ("environment", "content", digest)
        assert thing.digests == {"sha256": digest}
        assert [(keep.name, keep.data) for keep in thing.keep] == [("lock", raw)]
    guess = environment.guess(env)
    assert guess is not None and (guess.kind, guess.things) == ("environment", 6)
    assert environment.guess(env.parent / "croissant") is None


def test_the_difference_of_two_environments_names_what_changed(env: Path, tmp_path: Path) -> None:
    """R046: diff of two envs names changed packages, whatever formats they are written in."""
    text = (env / "requirements.freeze.txt").read_text()
    (tmp_path / "requirements.txt").write_text(
        text.replace("rich==15.0.0", "Rich==15.0.1").replace("mdurl==0.1.2\n", "") + "new==1\n"
    )
    old, new = environment.packages_of(env / "uv.lock"), environment.packages_of(tmp_path / "requirements.txt")
    assert environment.diff(old, new) == ({"new": "1"}, {"mdurl": "0.1.2"}, {"rich": ("15.0.0", "15.0.1")})
    assert environment.diff(old, old) == ({}, {}, {})


def test_the_running_environment_as_pip_lists_it(tmp_path: Path) -> None:
    """R046: capture in venv lists exact versions: the same as the interpreter itself knows."""
    from importlib.metadata import distributions

    done = subprocess.run([sys.executable, "-m", "pip", "freeze", "--all"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this environment has no pip")
    (tmp_path / "requirements.txt").write_text(done.stdout)
    thing = read(tmp_path)[0][0]
    known = {normal(d.metadata["Name"]): d.version for d in distributions()}
    listed = {name: version for name, version in thing.attrs["packages"].items() if not version.startswith("@")}
    assert listed and listed.items() <= known.items()
    assert len(thing.attrs["packages"]) + len(thing.attrs.get("local", ())) >= len(known) - 1


@pytest.mark.parametrize(
    ("line", "name", "version", "exact", "hashed"),
    [
        ("numpy==1.26.4", "numpy", "1.26.4", True, False),
        ("numpy === 1.26.4 # why", "numpy", "1.26.4", True, False),
        ("Scikit_Learn[alldeps, x] >= 1.0 , < 2", "scikit-learn", ">=1.0,<2", False, False),
        ("torch==2.3.0+cu121 --hash=sha256:aa", "torch", "2.3.0+cu121", True, True),
        ("torch==2.3.0 \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\n  # via x", "torch", "2.3.0", True, True),
        ("attrs; python_version < '3.13'", "attrs", "*", False, False),
        ("attrs==1.*", "attrs", "==1.*", False, False),
        ("attrs (>=1.0)", "attrs", ">=1.0", False, False),
        ("zope.interface==5", "zope-interface", "5", True, False),
        (
            f"-e git+https://host/acme/churn.git@{SHA}#egg=Churn",
            "churn",
            f"@ git+https://host/acme/churn.git@{SHA}",
            True,
            False,
        ),
        (
            "--editable=git+ssh://git@host/acme/churn.git@main",
            "churn",
            "@ git+ssh://git@host/acme/churn.git@main",
            False,
            False,
        ),
        (
            f"churn @ git+https://host/churn@{SHA} ; os_name == 'nt'",
            "churn",
            f"@ git+https://host/churn@{SHA}",
            True,
            False,
        ),
        ("attrs @ file:///build/attrs_16/work", "attrs", "@ file:///build/attrs_16/work", False, False),
        (f"foo@https://host/foo-2.0.tar.gz#sha256={HASH}", "foo", "2.0", True, True),
        ("https://host/foo_bar-2.0-py3-none-any.whl", "foo-bar", "2.0", True, False),
        ("./wheels/foo_bar-2.0-py3-none-any.whl", "foo-bar", "2.0", True, False),
    ],
)
def test_requirements_in_every_spelling(
    tmp_path: Path, line: str, name: str, version: str, exact: bool, hashed: bool
) -> None:
    """A line is one package, with what it leaves open and whether its files are fixed."""
    thing = one(tmp_path, line + "\n")
    assert thing.attrs["packages"] == {name: version}
    assert (thing.attrs["pinned"], thing.attrs["hashed"]) == (exact, int(hashed))


def test_options_markers_and_folders_stay_visible(tmp_path: Path) -> None:
    """What is no package is no noise either; two versions by marker are both there; a local project is not pinned."""
    thing = one(
        tmp_path,
        "--require-hashes\n-c constraints.txt\nnumpy==2.0 ; python_version >= '3.12'\nnumpy==1.26 ; python_version < '3.12'\n-e .\n",
    )
    assert thing.attrs["options"] == ["--require-hashes", "-c constraints.txt"]
    assert thing.attrs["packages"] == {"numpy": "1.26 | 2.0"}
    assert thing.attrs["markers"] == {"numpy": "python_version >= '3.12' | python_version < '3.12'"}
    assert thing.attrs["local"] == ["."]
    assert not thing.attrs["pinned"]


def test_what_is_not_understood_is_told_and_unpins(tmp_path: Path) -> None:
    """Never a silent skip: the line is named, the rest is read; beyond the first hundred they are counted."""
    (tmp_path / "requirements.txt").write_text("numpy==1\nwhat is this\n")
    (thing,), (unread,) = read(tmp_path)
    assert unread.where.endswith("requirements.txt:2")
    assert thing.attrs["packages"] == {"numpy": "1"} and not thing.attrs["pinned"]
    (tmp_path / "requirements.txt").write_text("numpy==1\n" + "what is this\n" * 150)
    unread_all = read(tmp_path)[1]
    assert len(unread_all) == 101 and "50 further" in unread_all[-1].why
    (tmp_path / "requirements.txt").write_text("-----BEGIN SOMETHING-----\n--no-index\nwhat is this\n")
    with pytest.raises(Invalid, match=r"requirements\.txt:1"):
        read(tmp_path / "requirements.txt")


def test_included_listings_belong_to_it(tmp_path: Path) -> None:
    """`-r` within the folder is read; the id changes with what is included; an edge leads there."""
    (tmp_path / "base.txt").write_text("pandas==2.2.0\n-r more/deep.txt\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "deep.txt").write_text("six==1.16\n")
    (tmp_path / "requirements.txt").write_text("-r base.txt\nnumpy==1\n")
    things, unread = read(tmp_path / "requirements.txt")
    assert unread == []
    deep, base, top = things
    assert top.attrs["packages"] == {"numpy": "1", "pandas": "2.2.0", "six": "1.16"}
    assert top.edges == [("from", base.ref)] and base.edges == [("from", deep.ref)] and not deep.edges
    assert top.digests["sha256"] == hashlib.sha256((tmp_path / "requirements.txt").read_bytes()).hexdigest()
    before = top.ref
    (tmp_path / "more" / "deep.txt").write_text("six==1.17\n")
    after = read(tmp_path / "requirements.txt")[0][-1]
    assert after.ref != before and after.digests == top.digests
    assert environment.packages_of(tmp_path / "requirements.txt")["six"] == "1.17"


def test_includes_never_leave_the_folder_and_never_turn_in_circles(tmp_path: Path) -> None:
    """What lies outside, is missing or includes itself is told; nothing outside is read; lineage stays free of circles."""
    (tmp_path / "outside.txt").write_text("outside==1\n")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link.txt").symlink_to("../outside.txt")
    (folder / "b.txt").write_text("b==1\n-r requirements.txt\n")
    lines = [
        "a==1",
        "-r ../outside.txt",
        f"-r {tmp_path}/outside.txt",
        "-r link.txt",
        "-r no.txt",
        "-r https://host/r.txt",
        "-r b.txt",
        "-r .",
    ]
    (folder / "requirements.txt").write_text("\n".join(lines))
    things, unread = read(folder / "requirements.txt")
    assert sorted(int(one.where.rpartition(":")[2]) for one in unread if "requirements.txt:" in one.where) == [
        2,
        3,
        4,
        5,
        6,
        7,
        8,
    ]
    assert all(set(thing.attrs["packages"]) == {"a", "b"} and not thing.edges for thing in things)
    assert len({thing.ref for thing in things}) == 2


SECRET = "hush-1234567890abcdef"
ADDRESS = f"https://ana:{SECRET}@index.example.org/simple"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", f"--index-url {ADDRESS}\nnumpy==1\n"),
        ("requirements.txt", f"numpy==1\n# {ADDRESS}\n"),
        ("requirements.txt", f"numpy @ {ADDRESS}/numpy-1-py3-none-any.whl\n"),
        ("requirements.txt", f"numpy==1\n-i https://ana:\\\n{SECRET}@index.example.org/\n"),
        ("requirements.txt", f"numpy==1\nbroken line {ADDRESS} here\n"),
        ("requirements.txt", f"numpy==1\nbroken line {'x' * 60} {ADDRESS} here\n"),
        ("requirements.txt", f"numpy==1\n--find-links https://host/x?sig={SECRET}\n"),
        ("requirements.txt", f"numpy==1\n-r {ADDRESS}\n"),
        ("uv.lock", f'version = 1\n[[package]]\nname = "numpy"\nversion = "1"\nsource = {{ registry = "{ADDRESS}" }}\n'),
        ("uv.lock", f'version = 1\n[[package]]\nname = "numpy"\nsource = {{ url = "https:/\\u002fana:{SECRET}@h/x.zip" }}\n'),
        ("pylock.toml", f'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nvcs = {{ url = "{ADDRESS}", commit-id = "{SHA}" }}\n'),
        ("pip-inspect.json", json.dumps({"version": "1", "pip_version": "1", "installed": [{"metadata": {"name": "numpy", "version": "1"}, "direct_url": {"url": ADDRESS, "vcs_info": {"commit_id": SHA}}}]})),
        ("pip-inspect.json", '{"version": "1", "pip_version": "1", "installed": [], "x": "https:\\/\\/ana:' + SECRET + '@h"}'),
        ("conda.yaml", f"channels: [{ADDRESS}]\ndependencies: [numpy==1]\n"),
        ("conda.yaml", f"channels: [https://host/t/{SECRET}/main]\ndependencies: [numpy==1]\n"),
        ("conda.yaml", f"dependencies: [numpy==1]\nvariables: {{API_KEY: {SECRET}}}\n"),
    ],
)  # fmt: skip
def test_no_secret_enters_the_record(tmp_path: Path, name: str, text: str) -> None:
    """Neither in attributes nor as kept bytes nor in a message; the digest alone stands for the file, and that is said."""
    (tmp_path / name).write_text(text)
    things, unread = read(tmp_path / name)
    (thing,) = things
    assert SECRET not in repr(things) and SECRET not in repr(unread)
    assert thing.attrs["redacted"] is True and thing.keep == []
    assert thing.digests == {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def test_what_is_no_secret_is_kept(tmp_path: Path) -> None:
    """Variables, the user git of an ssh address, a port: the file travels as it is."""
    text = (
        f"-i https://${{USER}}:${{TOKEN}}@host/\nx @ git+ssh://git@host/x.git@{SHA}\ny @ https://host:8443/y.git@v1\n"
    )
    thing = one(tmp_path, text)
    assert "redacted" not in thing.attrs and thing.keep[0].data == text.encode()


def test_a_freeze_written_by_powershell(tmp_path: Path) -> None:
    """There `>` writes UTF-16 with its mark and CR LF."""
    (tmp_path / "requirements.txt").write_bytes("numpy==1.26.4\r\nrich==15\r\n".encode("utf-16"))
    assert environment.packages_of(tmp_path / "requirements.txt") == {"numpy": "1.26.4", "rich": "15"}


def test_git_folders_and_members_in_uv_lock(tmp_path: Path) -> None:
    """Code at a commit is exact, a folder is not; markers of a fork stay with the package."""
    thing = one(
        tmp_path,
        f"""version = 1
[[package]]
name = "churn"
source = {{ editable = "." }}
[[package]]
name = "tool"
version = "1"
source = {{ git = "https://host/tool.git?rev=main#{SHA}" }}
[[package]]
name = "member"
version = "2"
source = {{ editable = "packages/member" }}
[[package]]
name = "half"
version = "3"
source = {{ registry = "https://host/simple" }}
resolution-markers = ["python_full_version < '3.12'"]
sdist = {{ url = "https://host/half-3.tar.gz", hash = "sha256:aa" }}
wheels = [{{ url = "https://host/half-3-py3-none-any.whl" }}]
""",
        "uv.lock",
    )
    assert thing.attrs["packages"] == {"half": "3", "member": "2", "tool": f"@ https://host/tool.git?rev=main#{SHA}"}
    assert thing.attrs["unpinned"] == ["member"] and thing.attrs["unhashed"] == ["half", "member", "tool"]
    assert thing.attrs["markers"] == {"half": "python_full_version < '3.12'"}


def test_poetry_lock_old_and_new(tmp_path: Path) -> None:
    """Files stand with the package since poetry 1.5, in a table of their own before."""
    package = '[[package]]\nname = "Attrs"\nversion = "26.1.0"\n'
    about = '[metadata]\nlock-version = "{}"\npython-versions = ">=3.11"\ncontent-hash = "aa"\n'
    files = '[{file = "attrs.whl", hash = "sha256:aa"}]'
    new = one(tmp_path, f"{package}files = {files}\n" + about.format("2.1"), "poetry.lock")
    old = one(tmp_path, package + about.format("1.1") + f"[metadata.files]\nAttrs = {files}\n", "poetry.lock")
    for thing in (new, old):
        assert thing.attrs["packages"] == {"attrs": "26.1.0"} and thing.attrs["hashed"] == 1
        assert thing.attrs["format"] == "poetry.lock" and thing.attrs["python"] == ">=3.11"


def test_conda_in_every_spelling(tmp_path: Path) -> None:
    """One `=` is a range to conda unless three parts or a build follow; pip's part is read as requirements."""
    thing = one(
        tmp_path,
        "name: lab\nchannels: [conda-forge]\ndependencies:\n- python=3.11.7\n- numpy=1.26\n- conda-forge::scipy=1.11.4=py311h1\n- _libgcc_mutex=0.1=main\n"
        "- pandas >=2,<3\n- blas 1.0 mkl\n- pip\n- pip:\n  - Flask==3.0\n  - -e .\n",
        "environment.yml",
    )
    assert thing.attrs["packages"] == {
        "_libgcc_mutex": "0.1", "blas": "1.0", "flask": "3.0", "numpy": "=1.26", "pandas": ">=2,<3", "pip": "*", "python": "3.11.7",
        "scipy": "1.11.4",
    }  # fmt: skip
    assert thing.attrs["unpinned"] == ["numpy", "pandas", "pip"]
    assert thing.attrs["project"] == "lab" and thing.attrs["python"] == "3.11.7" and thing.attrs["local"] == ["."]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("uv.lock", "version = 1\n[[package\n", "uv.lock:2: is not TOML"),
        ("uv.lock", "version = 2\n[[package]]\nname='x'\n", "version 2"),
        ("uv.lock", "a = 1\n", "no lock file"),
        ("uv.lock", "a = " + "[" * 5_000, "not TOML"),
        ("pylock.toml", 'lock-version = "2.0"\npackages = []\n', "version 2.0"),
        ("x.json", '{"version": "1"}', "pip inspect"),
        ("x.json", "{", "x.json:1: is not JSON"),
        ("environment.yml", "a: 1\n", "no list of `dependencies`"),
        ("environment.yml", "dependencies: [\n", "is not YAML"),
        ("requirements.txt", "caf\u00e9 au lait\n", "is not a requirement"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(tmp_path: Path, name: str, text: str, said: str) -> None:
    """A broken or foreign file named by the user ends in one message with its place; in a folder it is told and the rest is read."""
    (tmp_path / name).write_text(text)
    with pytest.raises(Invalid) as caught:
        read(tmp_path / name)
    assert said in str(caught.value)
    with pytest.raises(Invalid):
        environment.packages_of(tmp_path / name)
    if environment.guess(tmp_path / name):
        (tmp_path / "requirements.freeze.txt").write_text("a==1\n")
        things, unread = read(tmp_path)
        assert len(things) == 1 and len(unread) == 1


def test_no_listing_is_no_environment(tmp_path: Path) -> None:
    """Helm charts and package.json look alike and are none; an empty listing is one, and not pinned."""
    (tmp_path / "Chart.yaml").write_text("dependencies:\n- name: x\n")
    (tmp_path / "package.json").write_text('{"dependencies": {}}')
    (tmp_path / "environment.yml").write_text("production: true\n")
    assert environment.guess(tmp_path) is None
    with pytest.raises(Invalid):
        read(tmp_path)
    assert one(tmp_path, "").attrs == {"format": "requirements", "packages": {}, "hashed": 0, "pinned": False}


def test_ten_thousand_packages_fit_in_an_event(tmp_path: Path) -> None:
    """An event is 1 MiB at most; lists that only name are cut, counts are not."""
    thing = one(tmp_path, "".join(f"package-{i}=={i}.{i}.{i}\n" for i in range(10_000)))
    assert len(thing.attrs["packages"]) == 10_000 and thing.attrs["hashed"] == 0 and len(thing.attrs["unhashed"]) == 50
    long = one(tmp_path, "".join(f"package-{'x' * 80}-{i} @ https://host/{'y' * 200}\n" for i in range(3_000)))
    assert len(long.attrs["packages"]) + long.attrs["packages_left_out"] == 3_000
    assert len(canonical.encode(long.attrs)) < 700_000


def test_wide_and_steering_characters_stay_data(tmp_path: Path) -> None:
    """Hostile text is no name; in markers and options it is kept as it stands."""
    (tmp_path / "requirements.txt").write_text("数値==1\n\u202eevil==1\nok==1 ; '\x1b[31m' == 'é'\n")
    (thing,), unread = read(tmp_path)
    assert thing.attrs["packages"] == {"ok": "1"} and len(unread) == 2
    assert thing.attrs["markers"] == {"ok": "'\x1b[31m' == 'é'"}


def damaged(raw: bytes, seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    for _ in range(25):
        yield raw[: chance.randrange(len(raw))]
    for _ in range(75):
        data = bytearray(raw)
        for _ in range(chance.choice((1, 1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        yield bytes(data)


@pytest.mark.parametrize("name", LOCKS)
def test_damage_ends_in_a_message_or_in_things(env: Path, tmp_path: Path, name: str) -> None:
    """Torn and flipped files are read or refused, never anything else."""
    path = tmp_path / name
    shutil.copyfile(env / name, path)
    for raw in damaged(path.read_bytes(), len(name)):
        path.write_bytes(raw)
        environment.guess(path)
        try:
            things, _ = read(path)
        except Invalid:
            continue
        assert things and things[-1].digests == {"sha256": hashlib.sha256(raw).hexdigest()}


def test_the_lock_says_what_tomllib_says(env: Path) -> None:
    """Read another way: every package of uv.lock except the project, and a hash for every file."""
    value = tomllib.loads((env / "uv.lock").read_text())
    others = [row for row in value["package"] if "virtual" not in row["source"]]
    found = listing("uv.lock", (env / "uv.lock").read_bytes(), "f")
    assert found.versions == {row["name"]: [row["version"]] for row in others}
    assert not found.unhashed and not found.loose and not found.secret

"""Files of facts: one dataset or several, and what is wrong with one is said with file, dataset and key."""

import pytest

from protocols.datasets.fact_files import parse_facts
from protocols.datasets.info import DatasetInfo, KnownRelease, Published
from protocols.errors import DataError
from protocols.io.download import Download

PLAIN = """
title = "Bolts"
kind = "industrial"
image_size = 224
licence = "CC BY 4.0"
citation = "Bolt and Nut, Bolts, 2026"
source = "https://example.org/bolts"
"""
TABLES = """
[published]
train_normal = 150
test_normal = 50
anomalies = 30
classes = 1

[variants]
small = "the first half"

[[downloads]]
url = "https://example.org/bolts.zip"
file = "bolts.zip"

[[releases]]
counts = { normal = 200, bent = 30 }
sides = [512, 600]

[[releases]]
variant = "small"
counts.train = { normal = 75, "*" = 2 }
counts.test = [8, 9]
sides = [512, 600]
is_mixed = true
channels = 1
"""


def bolts(text: str) -> DatasetInfo:
    (info,) = parse_facts(text, "bolts.toml").values()
    return info


def test_the_facts_of_one_dataset_have_its_id() -> None:
    info = bolts(f'id = "bolts"\nprepare = "my_package.bolts:prepare"\nlabel_order = [["b", "a"], []]\n{PLAIN}{TABLES}')
    assert (info.id, info.title, info.prepare) == ("bolts", "Bolts", "my_package.bolts:prepare")
    assert info.published == Published(150, 50, 30, 1)
    assert info.downloads == (Download("https://example.org/bolts.zip", "bolts.zip"),)
    assert info.label_order == (("b", "a"), ())
    assert info.releases == {
        "": (KnownRelease({"normal": 200, "bent": 30}, sides=(512, 600)),),
        "small": (
            KnownRelease(
                {"train/normal": 75, "train/*": 2, "test/0": 8, "test/1": 9},
                sides=(512, 600),
                is_mixed=True,
                channels=1,
            ),
        ),
    }


def test_several_datasets_share_what_stands_before_their_tables() -> None:
    text = f'family = "iron"\n{PLAIN}[datasets.bolts]\n[datasets.nuts]\ntitle = "Nuts"\n'
    known = parse_facts(text, "iron.toml")
    assert [(id_, info.id, info.title, info.family) for id_, info in known.items()] == [
        ("bolts", "bolts", "Bolts", "iron"),
        ("nuts", "nuts", "Nuts", "iron"),
    ]


def test_other_text_is_another_digest() -> None:
    first, other = bolts(f'id = "bolts"{PLAIN}'), bolts(f'id = "bolts"{PLAIN}# counted again\n')
    assert first.digest != other.digest
    assert first.digest == bolts(f'id = "bolts"{PLAIN}').digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id = ", "bolts.toml is not TOML: "),
        (PLAIN, r"bolts.toml names no dataset: give its id, or a table \[datasets.ID\]"),
        (f"datasets = 3{PLAIN}", "bolts.toml names no dataset"),
        (f"[datasets]\nbolts = 3{PLAIN}", "bolts.toml names no dataset"),
        (f'id = "bolts@small"{PLAIN}', "bolts.toml, bolts@small: 'bolts@small' cannot be an id"),
        (f"id = []{PLAIN}", "cannot be an id"),
        ('id = "bolts"', r"bolts.toml, bolts: Object missing required field `\w+`"),
        (f'id = "bolts"{PLAIN}licenze = "x"', "bolts.toml, bolts: .* `licenze`: did you mean 'licence'?"),
        (f'id = "bolts"{PLAIN}[zzz]', "unknown field `zzz`: leave it out"),
        (f'id = "bolts"{PLAIN}[[datasets.nuts]]', "names no dataset"),
        (f'id = "bolts"{PLAIN}[datasets.nuts]', "bolts.toml, nuts: .* unknown field `id`"),
        (
            f'id = "bolts"{PLAIN}[published]\ntrain_normals = 3',
            r"`train_normals` - at `\$.published`: .* 'train_normal'",
        ),
        (f'id = "bolts"{PLAIN}[[releases]]\ncount = 3', r"`count` - at `\$.releases\[0\]`: did you mean 'counts'?"),
        (
            f'id = "bolts"{PLAIN}[[releases]]\nvariant = "smal"\ncounts = {{}}\nsides = [1, 2]\n[variants]\nsmall = ""',
            "a release is of the variant 'smal': did you mean 'small'?",
        ),
        (f'id = "bolts"{PLAIN}prepare = "no function"', r"bolts.toml, bolts: .* at `\$.prepare`"),
        (f'id = "bolts"{PLAIN}kind = "x"', "is not TOML"),
        ('id = "bolts"' + PLAIN.replace("industrial", "industry"), r"Invalid enum value 'industry' - at `\$.kind`"),
    ],
)
def test_what_is_wrong_with_facts_is_said_with_file_dataset_and_key(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_facts(text, "bolts.toml")

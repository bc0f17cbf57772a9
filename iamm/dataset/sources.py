"""Where the files of the data sets are published, with size and SHA-256 of what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from iamm.dataset.fetch import Source

MNIST = {
    "train-images-idx3-ubyte.gz": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte.gz": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte.gz": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte.gz": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
FASHION_MNIST = {
    "train-images-idx3-ubyte.gz": (47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    "train-labels-idx1-ubyte.gz": (60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "t10k-images-idx3-ubyte.gz": (7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    "t10k-labels-idx1-ubyte.gz": (10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}
AG_NEWS = {
    "test.csv": (1_857_427, "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699"),
}
MULTI30K = {
    "test_2016_flickr.cs.gz": (62_364, "45adb85f688de8407fddcbe1b36dca15d12aab868149b337e2576f2d6d2ff8d8"),
    "test_2016_flickr.de.gz": (70_649, "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16"),
    "test_2016_flickr.en.gz": (62_076, "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182"),
    "test_2016_flickr.fr.gz": (72_261, "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6"),
    "test_2017_flickr.de.gz": (64_059, "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081"),
    "test_2017_flickr.en.gz": (55_242, "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98"),
    "test_2017_flickr.fr.gz": (65_691, "6f3764e31dac41e9455e612958bcfd4e877c5e15cd66df2c2b2be6d9bd83e5b6"),
    "test_2017_mscoco.de.gz": (29_906, "58277df3c75f92f7145a11b910b553d1cf82c439249d4dc237c899609eafac22"),
    "test_2017_mscoco.en.gz": (24_949, "43051fdfa86fd5395182e718a94ca67b1b227b9f7c79596ff0f6b813216981d2"),
    "test_2017_mscoco.fr.gz": (29_982, "39cde3f43f32b0a6bf29ce4917a46329ff32e53070c2fac87506695a740ae0a0"),
    "train.cs.gz": (1_755_283, "2be68b38c8d586ff4f54eb13cc6e1baaaa053695b3f070d3038303a47f2268da"),
    "train.de.gz": (2_110_398, "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72"),
    "train.en.gz": (1_801_238, "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6"),
    "train.fr.gz": (2_111_303, "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d"),
    "val.cs.gz": (60_213, "d53827e469b0a1ca8d57e9e26b2b64c4bc4b33f5479c7b03ae87ae5c882c3e33"),
    "val.de.gz": (75_981, "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660"),
    "val.en.gz": (63_297, "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227"),
    "val.fr.gz": (73_924, "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc"),
}
AMAZON_SEQUENCES = {
    "Beauty.txt": (1_090_094, "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8"),
    "Sports_and_Outdoors.txt": (1_707_483, "2a095e0648872beb9982408958290f5d655db5be2911c3756b5446de9f0b8de2"),
    "Toys_and_Games.txt": (922_166, "176c680c688d497598c4a89a03b402c0fe78d795e5db335c2e78dd5f2d778a3f"),
}
AMAZON_CDR = {
    "cloth_sport/new_reindex.txt": (
        2_551_011,
        "565fe87b26daad46b6250c42a21e9234d89432a5114820f64673a93f259b3459",
    ),
    "game_video/new_reindex.txt": (2_019_780, "903a16e00683483f99c6cb20c78540064229b7e2104fbe8c8c2f72de38930d3c"),
    "sport_cloth/new_reindex.txt": (
        2_197_342,
        "7f90899f81cb738ab55042ec232ab0f0792f5abde066bdaaa25cf0af364f6654",
    ),
    "video_game/new_reindex.txt": (2_008_997, "2fcf6d78234a1046c465640270505acdf7f5f9486795625a697430cf51d15b37"),
}


class Published(NamedTuple):
    """The files of a data set.

    Args:
        terms: of use, in short.
        files: all that `dataset=` may read.
    """

    terms: str
    files: tuple[Source, ...]


def published(terms: str, folder: str, url: str, contents: Mapping[str, tuple[int, str]]) -> Published:
    """Each file of `url`, with a name below `folder` that ends in .gz."""
    names = {name: f"{folder}/{name.removesuffix('.gz')}.gz" for name in contents}
    return Published(terms, tuple(Source(names[name], url + name, *sums) for name, sums in contents.items()))


GITHUB = "https://raw.githubusercontent.com"
PUBLISHED = {
    "mnist": published("CC BY-SA 3.0", "mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/", MNIST),
    "fashion_mnist": published(
        "MIT",
        "fashion-mnist",
        f"{GITHUB}/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
        FASHION_MNIST,
    ),
    "ag_news": published(
        "research and other non-commercial use",
        "ag_news_csv",
        f"{GITHUB}/mhjabreel/CharCnn_Keras/555590db4219b1243abb1918effd6a7425a2d75f/data/ag_news_csv/",
        AG_NEWS,
    ),
    "multi30k": published(
        "non-commercial research and education",
        "multi30k/task1/raw",
        f"{GITHUB}/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/",
        MULTI30K,
    ),
    "amazon_sequences": published(
        "none stated, research",
        "amazon-sequences",
        f"{GITHUB}/RUCAIBox/CIKM2020-S3Rec/2a81540ae18615d88ef88227b0c066e5b74781e5/data/",
        AMAZON_SEQUENCES,
    ),
    "amazon_cdr": published(
        "none stated, research",
        "amazon-cdr",
        f"{GITHUB}/cjx96/CDRIB/bd9894565ce06e9ab187f8a52ba03919aaee5e13/dataset/",
        AMAZON_CDR,
    ),
}

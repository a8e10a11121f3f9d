"""The architectures whose weights are known, and the files that are published of each."""

import msgspec

ARCHITECTURES = ("resnet18", "vgg16", "inception_v3", "fid_inception_v3")
"""The last two are measured with only; the last is known by its digest alone, its tensors are like the one before."""


class Genuine(msgspec.Struct, frozen=True):
    """A published file below `base`, known by all 64 digits of its SHA-256, of which its name has the first eight."""

    arch: str
    name: str
    sha256: str
    base: str = "https://download.pytorch.org/models/"


# Digests as several public places give them. The two names of ResNet-18 hold the same values (spec 1.1).
GENUINE = (
    Genuine("resnet18", "resnet18-f37072fd.pth", "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"),
    Genuine("resnet18", "resnet18-5c106cde.pth", "5c106cde386e87d4033832f2996f5493238eda96ccf559d1d62760c4de0613f8"),
    Genuine("vgg16", "vgg16-397923af.pth", "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
    Genuine(
        "inception_v3",
        "inception_v3_google-0cc3c7bd.pth",
        "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef",
    ),
    # The Inception network of FID's authors, as two packages publish the same bytes.
    Genuine(
        "fid_inception_v3",
        "pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/",
    ),
    Genuine(
        "fid_inception_v3",
        "weights-inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/",
    ),
)

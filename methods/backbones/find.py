"""Finding files of ImageNet weights and telling them apart, without torch where a digest is known (design section 5).

A genuine file is one that torchvision publishes, or for FID's network the packages that port it, by all 64 digits of
its SHA-256. Any other file that holds a complete trunk is a custom one.
"""

import errno
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from methods.backbones.notes import note_contents, remembered_contents
from methods.backbones.table import BACKBONES, genuine_files
from methods.errors import MethodError
from protocols.text import near_miss

if TYPE_CHECKING:
    import torch

RANDOM = "random"
AUTO = "auto"
ENV = "BENCH_WEIGHTS"
SUFFIXES = (".pth", ".pt")


class WeightsFile(msgspec.Struct, frozen=True):
    """Weights that a run uses: `digest` is the file's SHA-256 or `random`, `label` what every table says of it."""

    arch: str
    path: Path | None
    digest: str
    label: str


class FoundFile(msgspec.Struct, frozen=True):
    """A file in one of the places where weights are looked for: what it is, or why it cannot be used.

    `was_read` is False for one that was not looked into, so that it may turn out to be usable.
    """

    source: str
    path: Path
    weights: WeightsFile | None
    problem: str = ""
    was_read: bool = True


class WrongWeightsError(MethodError):
    """A file or folder of --weights or BENCH_WEIGHTS is unusable: wrong input; other errors mean that weights lack."""


class _UnseenError(MethodError):
    """A file was never looked into, and may not be now."""


class _Option(msgspec.Struct, frozen=True):
    """One `--weights`: `random`, `auto` or a file, and the architecture where it names one."""

    value: str
    arch: str | None = None

    @property
    def text(self) -> str:
        return f"{self.arch}={self.value}" if self.arch else self.value


class _Candidate(msgspec.Struct, frozen=True):
    """A file to look at. One that a person named must be usable; `arch` is set where it must be of that network."""

    source: str
    path: Path
    named: bool = False
    arch: str | None = None


class _Contents(msgspec.Struct, frozen=True):
    """Contents of candidates: files of one architecture, and sentences on those of others and on unusable ones."""

    files: list[WeightsFile]
    others: list[str]
    problems: list[str]

    @property
    def reason(self) -> str:
        """Reason that there is no file of the architecture."""
        first, *rest = [*self.problems, *self.others] or [f"no file there ends in {' or '.join(SUFFIXES)}"]
        return f"{first} (and {len(rest)} more: see bench weights list)" if rest else first


def find(
    arch: str,
    *,
    options: Sequence[str],
    env: str | None,
    hub_dir: Path,
    cache_dir: Path,
    allow_auto: bool,
    notify: Callable[[str], None] | None = None,
) -> WeightsFile:
    """Weights of an architecture: from `options` (`random`, `auto`, `FILE`, `ARCH=FILE`), `env`, or torch's hub cache.

    `env` is the value of BENCH_WEIGHTS, a file or a folder. With `allow_auto` (recipe quick) random weights stand in
    for missing ones; the label says so. What a file was found to hold is remembered in `cache_dir` by its digest.
    `notify` is told why nothing of `env` could be used, where something else is.

    Raises:
        WrongWeightsError: what `options` or `env` name is not there, cannot be used, or is more than one file.
        MethodError: nothing was found, or a file has a genuine one's name alone.
    """
    if arch not in BACKBONES:
        raise MethodError(f"no weights are known for '{arch}': {_which(arch)}")
    check_options(options, allow_auto=allow_auto)
    chosen = _options(arch, options)
    contents = _of_arch(arch, _option_candidates(chosen), cache_dir)
    random = WeightsFile(arch, None, RANDOM, RANDOM)
    if contents.files:
        return _only(arch, contents.files, "--weights")
    if RANDOM in {option.value for option in chosen}:
        return random
    contents = _of_arch(arch, _env_candidates(env), cache_dir)
    if contents.files:
        return _only(arch, contents.files, ENV)
    files = _of_arch(arch, _hub_candidates(hub_dir), cache_dir).files
    unusable = f"{ENV} names {env}, without usable weights of {arch}: {contents.reason}" if env else ""
    if not files and not allow_auto:
        text = f"set {ENV} to a file, or pass --weights FILE, or --weights random for a smoke test"
        raise MethodError(f"no weights for {arch}: {unusable or text}")
    if unusable and notify and (contents.problems or not contents.others or not files):
        notify(unusable)
    return files[0] if files else random


def check_options(options: Sequence[str], *, allow_auto: bool) -> None:
    """Refuse what `--weights` cannot name, whatever networks are needed; looks into no file.

    Raises:
        WrongWeightsError: an unknown network, one that is named twice, a file that cannot be read, or `auto` where it
            is not allowed.
    """
    for arch in BACKBONES:
        chosen = _options(arch, options)
        values = {option.value for option in chosen}
        if AUTO in values and not allow_auto:
            text = "--weights auto is for recipe quick alone: pass --weights FILE, or --weights random"
            raise WrongWeightsError(text)
        if values >= {RANDOM, AUTO} or (len(chosen) > 1 and chosen[0].arch):
            names = " and ".join(f"--weights {option.text}" for option in chosen)
            raise WrongWeightsError(f"{names} contradict each other: keep one")
        for candidate in _option_candidates(chosen):
            try:
                _refuse_special(candidate.path)
                candidate.path.open("rb").close()
            except OSError as error:
                raise WrongWeightsError(_unreadable(candidate.path, error)) from None


def listing(
    *,
    env: str | None,
    hub_dir: Path,
    cache_dir: Path,
    options: Sequence[str] = (),
    look_inside: bool = True,
) -> tuple[FoundFile, ...]:
    """Every file at which `find` would look, in its order, with what it is or why it cannot be used.

    Without `look_inside`, which needs torch, a file that was never looked into counts as one that cannot be used yet.

    Raises:
        MethodError: BENCH_WEIGHTS names nothing that is there.
    """
    named = [candidate for arch in BACKBONES for candidate in _option_candidates(_options(arch, options))]
    candidates = [*dict.fromkeys(named), *_env_candidates(env), *_hub_candidates(hub_dir)]
    files: dict[tuple[str, Path], FoundFile] = {}
    for candidate in candidates:
        try:
            weights = identify(candidate.path, cache_dir=cache_dir, look_inside=look_inside)
            files[candidate.source, candidate.path] = FoundFile(candidate.source, candidate.path, weights)
        except MethodError as error:
            was_read = not isinstance(error, _UnseenError)
            files[candidate.source, candidate.path] = FoundFile(
                candidate.source, candidate.path, None, str(error), was_read
            )
    return tuple(files.values())


def identify(path: Path, *, cache_dir: Path, look_inside: bool = True) -> WeightsFile:
    """Tell what a file holds: by its digest where that is known, else by its keys, which needs torch once.

    Raises:
        MethodError: it cannot be read, is no complete trunk, or has a genuine file's name and another digest; or it was
            never looked into and may not be now.
    """
    digest = _digest(path)
    files = sorted(genuine_files(), key=lambda item: item[1].name != path.name)  # the one of this name first
    for backbone, file in files:
        if file.sha256 == digest:
            return WeightsFile(backbone.id, path, digest, f"genuine:{file.name}")
        if file.name == path.name:
            raise MethodError(
                f"{path} is not the file that its name says, its SHA-256 is {digest} and not {file.sha256}: rename it "
                f"to use it as a custom file, or get the genuine one with bench weights fetch {backbone.id}"
            )
    note = cache_dir / "weights" / f"{digest}.json"
    remembered = remembered_contents(note)
    if remembered is None and not look_inside:
        raise _UnseenError(f"{path} was not looked into yet: bench weights list does")
    arch, problem = remembered or note_contents(path, note)
    if problem:
        raise MethodError(f"{path} {problem}: give the state_dict of {' or '.join(BACKBONES)}")
    return WeightsFile(arch, path, digest, f"custom:{digest[:8]}")


def label(arch: str, digest: str) -> str:
    """Label of weights in tables, by the digest that a key holds: `genuine:NAME`, `custom:<8 digits>` or `random`."""
    if digest == RANDOM:
        return RANDOM
    published = BACKBONES[arch].genuine if arch in BACKBONES else ()
    name = next((file.name for file in published if file.sha256 == digest), None)
    return f"genuine:{name}" if name else f"custom:{digest[:8]}"


def read(file: WeightsFile) -> "dict[str, torch.Tensor]":
    """The trunk's tensors by their package's names, float32, complete and finite; the classifier is left out.

    A counter of batches that the file lacks is 0.

    Raises:
        MethodError: the file changed since it was found, or is no complete trunk of its architecture.
    """
    from methods.backbones import content

    if file.path is None:
        raise MethodError(f"random weights of {file.arch} have no file: initialise the network instead")
    if _digest(file.path) != file.digest:
        raise MethodError(f"{file.path} changed since it was found: run the command again")
    try:
        return content.trunk(content.load_state(file.path), file.arch)
    except ValueError as error:
        raise MethodError(f"{file.path} {error}: give another file with --weights") from None


def _which(arch: str) -> str:
    return near_miss(arch, BACKBONES, f"known are {' and '.join(BACKBONES)}")


def _options(arch: str, options: Iterable[str]) -> list[_Option]:
    """The options that concern one architecture: `ARCH=...` of it, else those that name no architecture."""
    of_arch, general = [], []
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.isidentifier() or _is_file(Path(option)):
            general.append(_Option(option))
        elif name not in BACKBONES:
            raise WrongWeightsError(f"--weights {option}: no network '{name}': {_which(name)}")
        elif name == arch:
            of_arch.append(_Option(value, arch))
    return of_arch or general


def _option_candidates(chosen: Iterable[_Option]) -> list[_Candidate]:
    files = [option for option in chosen if option.value not in {RANDOM, AUTO}]
    return [_Candidate("--weights", _path(file.value), named=True, arch=file.arch) for file in files]


def _env_candidates(env: str | None) -> list[_Candidate]:
    if not env:
        return []
    path = _path(env)
    try:
        if not path.exists():
            raise WrongWeightsError(f"{ENV} names {path}, which is not there: give a file or a folder")
        inside = sorted(path.iterdir()) if path.is_dir() else None
    except OSError as error:
        text = "give another file or folder"
        raise WrongWeightsError(f"{ENV} names {path}, which cannot be read: {error.strerror}: {text}") from None
    if inside is None:
        return [_Candidate(ENV, path, named=True)]
    return [_Candidate(ENV, file) for file in inside if file.suffix in SUFFIXES and _is_file(file)]


def _hub_candidates(hub_dir: Path) -> list[_Candidate]:
    files = [hub_dir / "checkpoints" / file.name for _, file in genuine_files()]
    return [_Candidate("torch hub cache", file) for file in files if _is_file(file)]


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # a user who does not exist
        return Path(text)


def _is_file(path: Path) -> bool:
    """True where there is such a file, as far as we may know."""
    try:
        return path.is_file()
    except OSError:
        return False


def _of_arch(arch: str, candidates: Iterable[_Candidate], cache_dir: Path) -> _Contents:
    """Look into candidates; a folder's unusable files are passed over, but no impostor of the architecture's own."""
    own_names = {file.name for file in BACKBONES[arch].genuine}
    contents = _Contents([], [], [])
    for candidate in candidates:
        try:
            file = identify(candidate.path, cache_dir=cache_dir)
        except MethodError as error:
            if candidate.named:
                raise WrongWeightsError(str(error)) from error
            if candidate.path.name in own_names:
                raise
            contents.problems.append(str(error))
            continue
        if candidate.arch not in {None, file.arch}:
            text = f"{candidate.path} holds {file.arch}, not {candidate.arch}: name it --weights {file.arch}=FILE"
            raise WrongWeightsError(text)
        if file.arch == arch:
            contents.files.append(file)
        else:
            contents.others.append(f"{candidate.path} holds {file.arch}")
    return contents


def _only(arch: str, files: Sequence[WeightsFile], source: str) -> WeightsFile:
    """The one file that was named for an architecture; copies of it count once."""
    text = several(arch, files, source)
    if text:
        raise WrongWeightsError(text)
    return files[0]


def several(arch: str, files: Iterable[WeightsFile], source: str) -> str:
    """Sentence that files which `source` names for one architecture differ; empty where they do not."""
    by_digest: dict[str, str] = {}
    for file in files:
        by_digest.setdefault(file.digest, str(file.path))
    if len(by_digest) < 2:
        return ""
    return f"{source} names more than one file for {arch}: keep one of {' and '.join(by_digest.values())}"


def _refuse_special(path: Path) -> None:
    """Raises OSError for a pipe or a device, which could be read for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a pipe or a device, no file")


def _digest(path: Path) -> str:
    try:
        _refuse_special(path)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise MethodError(_unreadable(path, error)) from None


def _unreadable(path: Path, error: OSError) -> str:
    return f"weights file {path} cannot be read: {error.strerror}: give another path"

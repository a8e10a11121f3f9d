"""Other hosts on this machine: processes in a namespace of their own that do not see a folder, or have another network.

Only root may make them.
"""

import contextlib
import os
import secrets
import subprocess

_HIDE = 'hostname "$1" && mount -t tmpfs none "$0" && shift && exec "$@"'


def elsewhere(words, hidden_folder, host="elsewhere"):
    """The words of a process on a host of that name, for which that folder is empty."""
    return ["unshare", "--mount", "--uts", "sh", "-c", _HIDE, str(hidden_folder), host, *map(str, words)]


def can_be_elsewhere(folder):
    return _works(*elsewhere(["true"], folder))


class Network:
    """A network namespace with a link to this one: `here` and `there` are the addresses of its ends."""

    def __init__(self):
        self.name = f"bench{secrets.token_hex(3)}"
        middle = f"10.{213 + os.getpid() % 40}.{os.getpid() // 40 % 256}"
        self.here, self.there = f"{middle}.1", f"{middle}.2"

    def __enter__(self):
        near, far = f"{self.name}n", f"{self.name}f"
        try:
            for words in (
                f"ip netns add {self.name}",
                f"ip link add {near} type veth peer name {far}",
                f"ip link set {far} netns {self.name}",
                f"ip addr add {self.here}/24 dev {near}",
                f"ip link set {near} up",
                f"ip -n {self.name} addr add {self.there}/24 dev {far}",
                f"ip -n {self.name} link set {far} up",
                f"ip -n {self.name} link set lo up",
            ):
                subprocess.run(words.split(), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """The link goes with its namespace."""
        _works("ip", "netns", "del", self.name)

    def words(self, words):
        """The words of a process in this network."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]


def can_be_linked():
    with contextlib.suppress(OSError, subprocess.CalledProcessError), Network():
        return True
    return False


def _works(*words):
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False

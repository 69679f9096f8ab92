"""Ports for servers under test."""
import socket

_kept = []


def free_port():
    """A TCP port that is the caller's until its process ends: nobody listens there, and neither an outgoing connection nor
    another caller is given it. A server that sets SO_REUSEADDR, as servers do, can listen on it, on any address."""
    keeper = socket.socket()
    keeper.bind(("0.0.0.0", 0))  # bound, not listening
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: binding must refuse what others keep
    _kept.append(keeper)
    return keeper.getsockname()[1]

"""The smallest test harness that will do: functions named by @test, one result line each, and a closing
'N passed, N failed'. A test has a deadline; nothing sleeps for luck: `eventually` waits on a condition."""
import os
import signal
import sys
import time
import traceback

from broker import SLOW

_tests = []


class DeadlineExceeded(Exception):
    pass


def test(function=None, *, name=None, seconds=15):
    """Registers a test; its name is the function's, in words."""
    def register(f):
        _tests.append((name or f.__name__.replace("_", " "), f, seconds))
        return f
    return register(function) if function else register


def add(name, function, *arguments, seconds=15, **named):
    """Registers one case of a table."""
    _tests.append((name, lambda: function(*arguments, **named), seconds))


def eventually(condition, what, seconds=5):
    """Waits until condition() is true, and returns it; fails when the deadline passes."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in time: {what}")
        time.sleep(0.005)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{f'{what}: ' if what else ''}got {got!r}, wanted {wanted!r}")


def one_of(got, wanted, what=""):
    if got not in wanted:
        raise AssertionError(f"{f'{what}: ' if what else ''}got {got!r}, wanted one of {wanted!r}")


def _on_alarm(_signal, _frame):
    raise DeadlineExceeded()


def run_all():
    """Runs the registered tests, or those whose name contains an argument; exits with the result."""
    wanted = sys.argv[1:]
    only = os.environ.get("ARENA_ONLY")
    if only:
        wanted.append(only)
    passed = failed = 0
    signal.signal(signal.SIGALRM, _on_alarm)
    for name, function, seconds in _tests:
        if wanted and not any(w in name for w in wanted):
            continue
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, seconds * SLOW)
        try:
            function()
            signal.setitimer(signal.ITIMER_REAL, 0)
            passed += 1
            print(f"ok {name} ({time.monotonic() - start:.2f} s)", flush=True)
        except BaseException as error:  # pylint: disable=broad-except
            signal.setitimer(signal.ITIMER_REAL, 0)
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            what = str(error) or type(error).__name__
            print(f"not ok {name}: {what}", flush=True)
            if not isinstance(error, AssertionError):
                print("".join("    " + line for line in traceback.format_exc(limit=-4).splitlines(True)), flush=True)
            else:
                where = traceback.extract_tb(error.__traceback__)
                print("    at " + " < ".join(f"{f.name}:{f.lineno}" for f in reversed(where[-4:])), flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.stdout.flush()
    os._exit(1 if failed or not passed else 0)  # client threads of a failed test must not hold us

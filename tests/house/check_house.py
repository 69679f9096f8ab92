#!/usr/bin/env python3
"""Checks the rules of the house: who may include whom, which words the core may use, what each room must have.

    check_house.py [--root DIR] [--self-test] [--headers]

The rooms, their floors and what each may use are read from src/CMakeLists.txt and held against the table of
MAY_INCLUDE. --self-test plants every violation in a copy of the tree and wants it refused. --headers also
compiles each header alone (slower; needs g++). Ends with 'N passed, N failed'.
"""
import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# What a room may include of the rooms above floor 1, by the room's first folder (its parent room). message,
# runtime and base are open to all from floor 2 on. None: everything below.
MAY_INCLUDE = {
    "base": set(),
    "message": {"base"},
    "runtime": {"base"},
    "codec": {"base", "message"},
    "net": {"codec/websocket"},
    "engine": set(),
    "access": set(),
    "broker": {"engine", "access"},
    "gateway": {"broker", "access", "codec", "net"},
    "client": {"codec", "net"},
    "server": None,
    "cli": None,
}
OPEN_TO_ALL = {"message", "runtime", "base"}
FLOOR = {"base": 0, "message": 1, "runtime": 1, "codec": 1, "net": 2, "engine": 3, "access": 3, "broker": 4,
         "gateway": 5, "client": 5, "server": 6, "cli": 6}

PROTOCOL_WORD = re.compile(r"mqtt|packet|frame|http|qos", re.I)
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)
# Comments, string and character literals; what matches is blanked.
NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|(?:u8|[uUL])?R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)
COMMENT_ONLY = re.compile(r'//[^\n]*|/\*.*?\*/', re.S)
POSIX_HEADER = re.compile(r"^(sys|netinet|arpa|net|linux)/[a-z_0-9]+\.h$|"
                          r"^(unistd|fcntl|errno|signal|poll|netdb|pthread|sched|time|assert|string)\.h$")
THIRD_PARTY_IN_HEADERS = re.compile(r"^(fmt|spdlog|boost/unordered)/")
FROM_RUNTIME_ONLY = {
    "std::thread": re.compile(r"\bstd\s*::\s*(j?thread|async)\b"),
    "now()": re.compile(r"::\s*now\s*\("),
    "rand": re.compile(r"(?<![.>])\b(s?rand|random|drand48)\s*\("),
    "random_device": re.compile(r"\brandom_device\b"),
    "system clock call": re.compile(r"\b(clock_gettime|gettimeofday|time\s*\(\s*(nullptr|NULL|0)\s*\))"),
}
LOCK = re.compile(r"\bstd\s*::\s*(mutex|recursive_mutex|shared_mutex|condition_variable\w*)\b")
LOCK_FREE_ROOMS = {"broker", "gateway", "codec", "message"}
# Split so that this file does not trip over itself.
FOREIGN_HOSTS = [a + "." + b for a, b in [
    ("pypi", "org"), ("files", "pythonhosted.org"), ("npmjs", "org"), ("npmjs", "com"), ("golang", "org/dl"),
    ("proxy.golang", "org"), ("repo1.maven", "org"), ("deb.debian", "org"), ("security.debian", "org"),
    ("snapshot.debian", "org"), ("ftp.debian", "org"), ("pkg", "dev")]]
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|home/[a-z]\w*|tmp/wt)(?=[/\s\"'`]|$)", re.M)
CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.M)
BINARY = {".png", ".jpg", ".gif", ".ico", ".bin", ".gz", ".woff2"}


@functools.lru_cache(maxsize=None)
def blank(text, pattern):
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def code_of(text):
    """The text with comments, literals and include lines blanked; lines keep their numbers."""
    return INCLUDE.sub(lambda m: " " * len(m.group(0)), blank(text, NOT_CODE))


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class House:
    """The tree as text: rooms with floors and permissions, files, includes."""

    def __init__(self, root):
        self.root = Path(root)
        self.files = {}  # path from root -> text
        for path in self.tracked():
            if path.suffix in BINARY or not (self.root / path).is_file():
                continue
            self.files[str(path)] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        self.rooms, self.uses = self.read_rooms(self.files.get("src/CMakeLists.txt", ""))
        self.sources = {p: t for p, t in self.files.items()
                        if p.startswith("src/") and p.endswith((".h", ".cc", ".c"))}

    def tracked(self):
        done = subprocess.run(["git", "-C", str(self.root), "ls-files", "-z", "--cached", "--others",
                               "--exclude-standard"], capture_output=True)
        if done.returncode == 0 and done.stdout:
            return [Path(os.fsdecode(p)) for p in done.stdout.split(b"\0") if p]
        return [p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file()]

    @staticmethod
    def read_rooms(cmake):
        """{room: floor} and {room: rooms it uses} from the arena_room lines and their '# floor N' headings."""
        rooms, uses, floor = {}, {}, None
        for line in cmake.splitlines():
            heading = re.match(r"#\s*floor\s+(\d+)", line)
            if heading:
                floor = int(heading.group(1))
            call = re.match(r"\s*arena_room\(\s*([\w/]+)([^)]*)\)", line)
            if call:
                rooms[call.group(1)] = floor
                uses[call.group(1)] = call.group(2).split()
        by_library = {"arena_" + room.replace("/", "_"): room for room in rooms}
        return rooms, {room: {by_library[u] for u in used if u in by_library} | {u for u in used if
                       u.startswith("arena_") and u not in by_library} for room, used in uses.items()}

    def room_of(self, path):
        """The room of a path below src/: the longest declared folder that holds it."""
        folder = path
        while "/" in folder:
            folder = folder.rsplit("/", 1)[0]
            if folder in self.rooms:
                return folder
        return None

    def reachable(self, room):
        seen, todo = set(), [room]
        while todo:
            for used in self.uses.get(todo.pop(), ()):
                if used not in seen:
                    seen.add(used)
                    todo.append(used)
        return seen

    def includes(self, path):
        """(line, quoted path or None, angled path or None) of each include."""
        text = blank(self.files[path], COMMENT_ONLY)
        return [(line_of(text, m.start()), m.group(1), m.group(2)) for m in INCLUDE.finditer(text)]


def is_test(path):
    return path.endswith(("_test.cc", "_test_suite.h", "_test_suite.cc")) or "/test_" in path


def permitted(room, target):
    """Does the table let `room` include `target`, both declared rooms?"""
    top, target_top = room.split("/")[0], target.split("/")[0]
    if top == target_top:
        # Inside one room: a part may use its parent's interface, the parent its parts; siblings are the
        # business of src/CMakeLists.txt, except where they are alternatives to each other.
        alternatives = top in {"gateway", "codec", "engine"}
        return not (alternatives and "/" in room and "/" in target)
    if MAY_INCLUDE.get(top, set()) is None:
        return target_top != "server" and FLOOR[target_top] < 6 or top == "cli"
    if target_top in OPEN_TO_ALL and FLOOR.get(top, 0) >= 2:
        return True
    allowed = MAY_INCLUDE.get(top, set())
    if target in allowed:
        return True
    # 'codec' opens codec/mqtt and the like; 'engine' opens engine's own headers, not one engine.
    return target_top in allowed and target_top != "engine"


def cycles(graph):
    """The strongly connected components of more than one node, or with a self-loop. Iterative Tarjan."""
    index, low, on_stack, stack, found, counter = {}, {}, set(), [], [], 0
    for start in graph:
        if start in index:
            continue
        index[start] = low[start] = counter
        counter += 1
        stack.append(start)
        on_stack.add(start)
        work = [(start, iter(sorted(graph[start])))]
        while work:
            node, rest = work[-1]
            for after in rest:
                if after not in graph:
                    continue
                if after not in index:
                    index[after] = low[after] = counter
                    counter += 1
                    stack.append(after)
                    on_stack.add(after)
                    work.append((after, iter(sorted(graph[after]))))
                    break
                if after in on_stack:
                    low[node] = min(low[node], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    members = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        members.append(member)
                        if member == node:
                            break
                    if len(members) > 1 or node in graph[node]:
                        found.append(sorted(members))
    return found


# Each check yields findings: 'path:line: what is wrong'.

def check_rooms_declared(house):
    for room, floor in house.rooms.items():
        top = room.split("/")[0]
        if FLOOR.get(top) != floor:
            yield f"src/CMakeLists.txt: room {room} stands on floor {floor}, not {FLOOR.get(top)}"
        for used in house.uses[room]:
            if used not in house.rooms:
                yield f"src/CMakeLists.txt: room {room} uses {used}, which is no room above it"
            elif house.rooms[used] > floor or not permitted(room, used):
                yield f"src/CMakeLists.txt: room {room} may not use {used}"
    for path in house.sources:
        if house.room_of(path[len("src/"):]) is None:
            yield f"{path}: its folder is no room of src/CMakeLists.txt"


def check_includes_point_down(house):
    for path in house.sources:
        room = house.room_of(path[len("src/"):])
        if room is None:
            continue
        for line, quoted, _ in house.includes(path):
            if quoted is None:
                continue
            target = house.room_of(quoted)
            if target is None or "src/" + quoted not in house.sources:
                if not (is_test(path) and "tests/" + quoted in house.files):
                    yield f"{path}:{line}: includes \"{quoted}\", which is no file from src/"
                continue
            if target == room:
                continue
            if is_test(path):
                # A test may stand up what it needs, beside or below it, never above.
                if house.rooms[target] > house.rooms[room]:
                    yield f"{path}:{line}: a test of {room} includes {quoted} from the floor above"
                continue
            if house.rooms[target] > house.rooms[room]:
                yield f"{path}:{line}: {room} includes {quoted}: upward"
            elif not permitted(room, target):
                yield f"{path}:{line}: {room} includes {quoted}: not one of the rooms it may include"
            elif target not in house.reachable(room):
                yield f"{path}:{line}: {room} includes {quoted}: not in its line of src/CMakeLists.txt"


def check_no_include_cycles(house):
    files = {p: {"src/" + q for _, q, _ in house.includes(p) if q} for p in house.sources}
    for members in cycles(files):
        yield f"{members[0]}: includes go in a circle: {' '.join(members)}"
    rooms = {room: set() for room in house.rooms}
    for path, included in files.items():
        room = house.room_of(path[len("src/"):])
        if room is None or is_test(path):
            continue
        for other in included:
            target = house.room_of(other[len("src/"):])
            if target and target != room:
                rooms[room].add(target)
    for members in cycles(rooms):
        yield f"src: rooms include each other in a circle: {' '.join(members)}"
    for members in cycles(house.uses):
        yield f"src/CMakeLists.txt: rooms use each other in a circle: {' '.join(members)}"


def check_third_party_stays_in_cc(house):
    for path in house.sources:
        if not path.endswith(".h") or is_test(path):
            continue
        for line, _, angled in house.includes(path):
            if angled is None or ("." not in angled and "/" not in angled):
                continue
            if not POSIX_HEADER.match(angled) and not THIRD_PARTY_IN_HEADERS.match(angled):
                yield f"{path}:{line}: third-party header <{angled}> in a header"


def check_core_speaks_no_protocol(house):
    for path, text in house.sources.items():
        core = path.startswith(("src/message/", "src/broker/"))
        door = path.startswith(("src/engine/", "src/access/")) and path.endswith(".h")
        if not core and not door:
            continue
        code = code_of(text)
        for word in IDENTIFIER.finditer(code):
            if PROTOCOL_WORD.search(word.group(0)):
                yield f"{path}:{line_of(code, word.start())}: protocol word in the identifier {word.group(0)}"


def check_time_and_chance_come_from_runtime(house):
    for path, text in house.sources.items():
        if path.startswith("src/runtime/") or is_test(path):
            continue
        code = code_of(text)
        for what, pattern in FROM_RUNTIME_ONLY.items():
            for match in pattern.finditer(code):
                yield f"{path}:{line_of(code, match.start())}: {what} outside src/runtime"


def check_no_locks_on_the_message_path(house):
    for path, text in house.sources.items():
        code = code_of(text)
        for match in re.finditer(r"\bthread_local\b", code):
            yield f"{path}:{line_of(code, match.start())}: thread_local"
        if path.split("/")[1] in LOCK_FREE_ROOMS and not is_test(path):
            for match in LOCK.finditer(code):
                yield f"{path}:{line_of(code, match.start())}: a lock in a room that owns its world"


def check_rooms_have_readmes(house):
    for room in house.rooms:
        if any(house.room_of(p[len("src/"):]) == room for p in house.sources):
            if f"src/{room}/README.md" not in house.files:
                yield f"src/{room}: no README.md"


def check_headers_guard_themselves(house):
    for path, text in house.sources.items():
        if path.endswith(".h") and "#pragma once" not in text:
            yield f"{path}: no #pragma once"


def check_no_foreign_places(house):
    for path, text in house.files.items():
        lower = text.lower()
        for host in FOREIGN_HOSTS:
            at = lower.find(host)
            if at >= 0:
                yield f"{path}:{line_of(text, at)}: names a package registry's host"
        for match in MACHINE_PATH.finditer(text):
            yield f"{path}:{line_of(text, match.start())}: a path of one machine: {match.group(0)}"


def check_no_half_merged_files(house):
    for path, text in house.files.items():
        for match in CONFLICT.finditer(text):
            yield f"{path}:{line_of(text, match.start())}: a conflict that was not settled"


def check_limits_have_their_tests(house):
    """Each row of docs/limits.md names a test that exists. Whether the page is current is a unit test's business."""
    page = "docs/limits.md"
    if page not in house.files:
        return
    tests = set()
    for path, text in house.files.items():
        if path.endswith("_test.cc"):
            tests |= {f"{suite}.{name}" for suite, name in re.findall(r"\bTEST(?:_F|_P)?\((\w+), (\w+)\)", text)}
    for number, line in enumerate(house.files[page].splitlines(), 1):
        named = re.search(r"\| `([\w.]*)` \|$", line)
        if line.startswith("| `") and (not named or named.group(1) not in tests):
            yield f"{page}:{number}: names no test that exists"


CHECKS = {
    "rooms are declared on their floor": check_rooms_declared,
    "includes point down, to rooms named": check_includes_point_down,
    "no include cycles": check_no_include_cycles,
    "third-party headers stay in .cc files": check_third_party_stays_in_cc,
    "the core speaks no protocol": check_core_speaks_no_protocol,
    "threads, time and chance come from runtime": check_time_and_chance_come_from_runtime,
    "no locks on the message path": check_no_locks_on_the_message_path,
    "each room has a README": check_rooms_have_readmes,
    "each header guards itself": check_headers_guard_themselves,
    "no registry hosts, no machine paths": check_no_foreign_places,
    "no half-merged files": check_no_half_merged_files,
    "each limit has its test": check_limits_have_their_tests,
}

# What --self-test plants: check, file to write (or to append to, with '+'), content. Each must be refused.
H = "#pragma once\n"
PLANTS = [
    ("rooms are declared on their floor", "src/attic/x.h", H),
    ("rooms are declared on their floor", "+src/CMakeLists.txt", "# floor 2\narena_room(codec/late arena_base)\n"),
    ("rooms are declared on their floor", "+src/CMakeLists.txt", "# floor 1\narena_room(codec/odd arena_net)\n"),
    ("rooms are declared on their floor", "+src/CMakeLists.txt", "# floor 3\narena_room(engine/odd arena_access)\n"),
    ("includes point down, to rooms named", "src/base/x.h", H + '#include "message/topic.h"\n'),
    ("includes point down, to rooms named", "src/base/x_test.cc", '#include "message/topic.h"\n'),
    ("includes point down, to rooms named", "src/message/x.h", H + '#include "runtime/loop.h"\n'),
    ("includes point down, to rooms named", "src/message/x.h", H + '#  include "runtime/loop.h"\n'),
    ("includes point down, to rooms named", "src/access/x.h", H + '#include "engine/store.h"\n'),
    ("includes point down, to rooms named", "src/gateway/mqtt/x.cc", '#include "engine/store.h"\n'),
    ("includes point down, to rooms named", "src/client/x.cc", '#include "access/x_planted.h"\n',
     "src/access/x_planted.h", H),
    ("includes point down, to rooms named", "src/broker/x.cc", '#include "engine/memory/x_planted.h"\n',
     "src/engine/memory/x_planted.h", H),
    ("includes point down, to rooms named", "src/broker/x.cc", '#include "net/stream.h"\n'),
    ("includes point down, to rooms named", "src/broker/x.cc", '#include "nowhere.h"\n'),
    ("no include cycles", "src/message/x.h", H + '#include "message/y.h"\n', "src/message/y.h",
     H + '#include "message/x.h"\n'),
    ("no include cycles", "src/message/x.h", H + '#include "message/x.h"\n'),
    ("no include cycles", "src/broker/routing/x.h", H + '#include "broker/retained/y.h"\n',
     "src/broker/retained/y.h", H + '#include "broker/routing/z.h"\n', "src/broker/routing/z.h", H),
    ("third-party headers stay in .cc files", "src/access/x.h", H + "#include <sodium.h>\n"),
    ("third-party headers stay in .cc files", "src/server/x.h", H + "#include <toml++/toml.h>\n"),
    ("third-party headers stay in .cc files", "src/net/x.h", H + "#include <boost/asio.hpp>\n"),
    ("the core speaks no protocol", "src/broker/x.cc", "int packet_id;\n"),
    ("the core speaks no protocol", "src/broker/routing/x.cc", "struct MqttThing {};\n"),
    ("the core speaks no protocol", "src/message/x.h", H + "enum class QoS { a };\n"),
    ("the core speaks no protocol", "src/engine/x.h", H + "int FRAME_MAX;\n"),
    ("the core speaks no protocol", "src/access/x.h", H + "void on_http_request();\n"),
    ("the core speaks no protocol", "src/broker/x.cc", 'const char* a = "\\""; int http_x = \'"\';\n'),
    ("threads, time and chance come from runtime", "src/broker/x.cc", "std::thread t;\n"),
    ("threads, time and chance come from runtime", "src/net/x.cc", "auto t = Clock::now();\n"),
    ("threads, time and chance come from runtime", "src/cli/x.cc", "int r = rand();\n"),
    ("threads, time and chance come from runtime", "src/access/x.cc", "std::random_device d;\n"),
    ("threads, time and chance come from runtime", "src/server/x.cc", "auto t = time(nullptr);\n"),
    ("no locks on the message path", "src/broker/x.cc", "std::mutex m;\n"),
    ("no locks on the message path", "src/net/x.cc", "thread_local int x;\n"),
    ("each room has a README", "-src/message/README.md", "", "src/message/x.h", H),
    ("each header guards itself", "src/message/x.h", "int f();\n"),
    ("each limit has its test", "+docs/limits.md", "| `limits.x` | 1 |  | nothing | `x` | `No.Such` |\n"),
    ("no half-merged files", "docs/x.md", "<" * 7 + " HEAD\na\n"),
    ("no registry hosts, no machine paths", "docs/x.md", "from " + FOREIGN_HOSTS[0] + "\n"),
    ("no registry hosts, no machine paths", "package-lock.json", '"resolved": "https://registry.' +
     FOREIGN_HOSTS[2] + '/x"\n'),
    ("no registry hosts, no machine paths", "docs/x.md", "see " + "/ro" + "ot/x\n"),
    ("no registry hosts, no machine paths", "script/x", "cd " + "/wo" + "rk\n"),
]
# And what must not be refused.
ALLOWED = [
    ("src/broker/x.cc", '// a PUBLISH packet [MQTT-4.8.2-6]\nconst char* s = "mqtt";\nauto r = R"(http packet)";\n'),
    ("src/broker/x.cc", "/* std::thread and now() */ int one_million = 1'000'000;\n"),
    ("src/access/x.cc", "int http_like;\n#include <sodium.h>\n"),
    ("src/runtime/x.cc", "std::thread t; auto n = std::chrono::steady_clock::now();\n"),
    ("src/base/x.h", H + "#include <fmt/format.h>\n#include <sys/types.h>\n#include <vector>\n"),
    ("src/broker/x.h", H + "#include <boost/unordered/unordered_flat_map.hpp>\n"),
    ("src/gateway/mqtt/x_test.cc", '#include "engine/store.h"\n'),
    ("docs/x.md", "topic a/work/b, folder ./ro" + "ot/x, ${HOME}/ro" + "ot/\n"),
]


def findings(root):
    house = House(root)
    return {name: sorted(set(check(house))) for name, check in CHECKS.items()}


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def say(self, good, label, details=()):
        print(("ok     " if good else "not ok ") + label)
        for detail in details:
            print("       " + detail)
        self.passed += good
        self.failed += not good


def plant(copy, pairs):
    """Writes the pairs of (path, content) and returns what puts the tree back as it was."""
    undo = []
    for path, content in zip(pairs[0::2], pairs[1::2]):
        target = copy / path.lstrip("+-")
        before = target.read_text() if target.exists() else None
        undo.append((target, before))
        if path.startswith("-"):
            target.unlink(missing_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((before or "") + content if path.startswith("+") else content)
    return undo


def restore(undo):
    for target, before in undo:
        if before is None:
            target.unlink(missing_ok=True)
        else:
            target.write_text(before)


def self_test(root, tally):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        house = House(root)
        for path in house.files:
            if path.startswith("src/"):
                (copy / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(house.root / path, copy / path)
        for room in house.rooms:  # rooms still to be furnished count as present, so that planting is one file
            readme = copy / "src" / room / "README.md"
            readme.parent.mkdir(parents=True, exist_ok=True)
            readme.touch()
        base = findings(copy)
        for expected, *pairs in PLANTS:
            undo = plant(copy, pairs)
            new = set(findings(copy)[expected]) - set(base[expected])
            restore(undo)
            shown = pairs[1].replace("\n", " ").strip()
            tally.say(bool(new), f"refused: {pairs[0]}: {shown}")
        for path, content in ALLOWED:
            undo = plant(copy, [path, content])
            after = findings(copy)
            restore(undo)
            new = [f for name in CHECKS for f in sorted(set(after[name]) - set(base[name]))]
            tally.say(not new, f"let through: {path}: {content.splitlines()[0]}", new)


def headers_compile_alone(root, tally):
    flags = subprocess.run(["pkg-config", "--cflags", "spdlog", "fmt", "libsodium", "libxxhash"],
                           capture_output=True, text=True).stdout.split()
    for path in sorted(House(root).sources):
        if path.endswith(".h"):
            done = subprocess.run(["g++", "-std=c++20", "-fsyntax-only", "-Isrc", "-Itests", *flags, "-x", "c++", "-"],
                                  input=f'#include "{path[4:]}"\n', cwd=root, capture_output=True, text=True)
            tally.say(done.returncode == 0, f"compiles alone: {path}", done.stderr.splitlines()[:5])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--headers", action="store_true")
    options = parser.parse_args()
    tally = Tally()
    for name, found in findings(options.root).items():
        tally.say(not found, name, found)
    if options.self_test:
        self_test(options.root, tally)
    if options.headers:
        headers_compile_alone(options.root, tally)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())

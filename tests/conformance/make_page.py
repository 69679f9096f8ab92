#!/usr/bin/env python3
"""Makes docs/conformance/mqtt.md: each normative statement of MQTT 5 and 3.1.1 with the tests that prove it.

    make_page.py [--check] [--self-test] [--root DIR]

A test names the statements it proves, at most five, in the comment lines directly above it: [5 MQTT-3.1.0-1] or
[3.1.1 MQTT-3.1.0-1]. What a server cannot see stands in docs/conformance/unseen.tsv with one line why. --check
writes nothing and fails when the page is not current or has an open line.
Ends with 'N passed, N failed' when it checks.
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path

FOLDER = Path("docs/conformance")
VERSIONS = {"5": "5.0", "3.1.1": "3.1.1"}  # as tags say it -> as statements.tsv says it
TAGS_MAX = 5
PATTERNS = ("src/**/*_test.cc", "src/**/*_suite.h", "tests/**/*.cc", "tests/**/*.py")
NOT_SEARCHED = ("tests/conformance/", "tests/house/")
TAG = re.compile(r"\[(5|3\.1\.1) (MQTT-[\d.]+-\d+)\]")
LOOSE = re.compile(r"\[[^\]\n]*\bMQTT-\d[^\]\n]*\]")
CPP_TEST = re.compile(r"(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
PYTHON_TEST = re.compile(r"def (\w+)\(|\s*add\(f?[\"'](.+?)[\"'],")
CHAPTERS = {"1": "1 Introduction: text and numbers", "2": "2 Packet format", "3.1": "3.1 CONNECT", "3.2": "3.2 CONNACK",
            "3.3": "3.3 PUBLISH", "3.4": "3.4 PUBACK", "3.5": "3.5 PUBREC", "3.6": "3.6 PUBREL", "3.7": "3.7 PUBCOMP",
            "3.8": "3.8 SUBSCRIBE", "3.9": "3.9 SUBACK", "3.10": "3.10 UNSUBSCRIBE", "3.11": "3.11 UNSUBACK",
            "3.12": "3.12 PINGREQ", "3.14": "3.14 DISCONNECT", "3.15": "3.15 AUTH", "4": "4 Operational behaviour",
            "6": "6 WebSocket", "7": "7 Conformance"}


def read_table(path):
    """The rows behind the header, each a list of its columns."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:] if line]


def read_tests(path, text):
    """(name, comment above it) of each test, and the text of all comments that stand above none."""
    marker, pattern = ("#", PYTHON_TEST) if path.endswith(".py") else ("//", CPP_TEST)
    tests, block, strays = [], [], []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(marker):
            block.append(stripped)
            continue
        if marker == "#" and stripped.startswith("@"):
            continue  # a decorator: the test comes next
        found = pattern.match(line)
        if found:
            name = ".".join(part for part in found.groups() if part)
            tests.append((name, "\n".join(block)))
        elif block:
            strays += block
        block = []
    return tests, "\n".join(strays + block)


class Conformance:
    def __init__(self, root):
        self.root = root
        self.statements = {(version, name): (binds, summary)
                           for version, name, binds, summary in read_table(root / FOLDER / "statements.tsv")}
        self.unseen = {(version, name): why for version, name, why in read_table(root / FOLDER / "unseen.tsv")}
        self.proofs = {key: [] for key in self.statements}
        self.tests = 0
        self.faults = []
        for path in sorted({p for pattern in PATTERNS for p in root.glob(pattern)}):
            self.read(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for key in self.unseen:
            if key not in self.statements:
                self.faults.append(f"unseen.tsv names an unknown statement: {' '.join(key)}")
            elif self.proofs[key]:
                self.faults.append(f"{' '.join(key)} is said to be unseen, but {self.proofs[key][0][1]} names it")

    def read(self, path, text):
        if path.startswith(NOT_SEARCHED):
            return
        tests, strays = read_tests(path, text)
        for name, comment in tests:
            tags = TAG.findall(comment)
            self.tests += bool(tags)
            if len(tags) > TAGS_MAX:
                self.faults.append(f"{path}: {name} names {len(tags)} statements; {TAGS_MAX} are allowed")
            for loose in LOOSE.findall(TAG.sub("", comment)):
                self.faults.append(f"{path}: {name}: {loose} is not of the form [5 MQTT-...] or [3.1.1 MQTT-...]")
            for version, statement in dict.fromkeys(tags):
                key = (VERSIONS[version], statement)
                if key in self.statements:
                    self.proofs[key].append((path, name))
                else:
                    self.faults.append(f"{path}: {name} names an unknown statement: {version} {statement}")
        for version, statement in TAG.findall(strays):
            self.faults.append(f"{path}: [{version} {statement}] stands above no test")

    def open(self, version=None):
        return [key for key in self.statements
                if version in (None, key[0]) and not self.proofs[key] and key not in self.unseen]

    def page(self):
        lines = ["# Conformance to MQTT 5.0 and 3.1.1", "",
                 "Made by `script/conformance`; not edited by hand. Each normative statement of the two",
                 "specifications, told in our words, with the tests that prove it: what binds a server is shown to be",
                 "kept, what binds a client is shown to be refused when broken, wherever a server can see it. What a",
                 "server cannot see says why. Where this digest and the specification differ, the specification holds.",
                 "",
                 "| version | statements | proven by tests | not visible to a server | open |", "|---|---|---|---|---|"]
        for version in VERSIONS.values():
            keys = [key for key in self.statements if key[0] == version]
            unseen, open_ = sum(key in self.unseen for key in keys), len(self.open(version))
            lines.append(f"| {version} | {len(keys)} | {len(keys) - unseen - open_} | {unseen} | {open_} |")
        lines += ["", f"{self.tests} tests name at least one statement; none names more than {TAGS_MAX}."]
        for version in VERSIONS.values():
            lines += ["", f"## MQTT {version}"] + self.version_lines(version)
        return "\n".join(lines) + "\n"

    def version_lines(self, version):
        lines, chapter = [], None
        for key in self.statements:
            if key[0] != version:
                continue
            if chapter_of(key[1]) != chapter:
                chapter = chapter_of(key[1])
                lines += ["", f"### {CHAPTERS.get(chapter, chapter)}", "", "| statement | binds | says | proven by |",
                          "|---|---|---|---|"]
            binds, summary = self.statements[key]
            lines.append(f"| {key[1]} | {binds} | {summary.replace('|', chr(92) + '|')} | {self.proof(key)} |")
        return lines

    def proof(self, key):
        if key in self.unseen:
            return f"*not visible:* {self.unseen[key]}"
        return ", ".join(f"[{name}](../../{path})" for path, name in self.proofs[key]) or "**open**"


def chapter_of(statement):
    section = statement.removeprefix("MQTT-").rsplit("-", 1)[0].split(".")
    return ".".join(section[:2]) if section[0] == "3" else section[0]


def findings(root):
    """What --check finds wrong."""
    conformance = Conformance(root)
    found = list(conformance.faults)
    page = root / FOLDER / "mqtt.md"
    if not page.exists() or page.read_text(encoding="utf-8") != conformance.page():
        found.append(f"{FOLDER}/mqtt.md is not current: run script/conformance")
    return found + [f"open: {' '.join(key)}" for key in conformance.open()]


# What must be refused: (a test file's text, the unseen table's rows, a word of the complaint).
PLANTED = {
    "an unknown statement": ("// [5 MQTT-9.9.9-9]\nTEST(A, B) {}\n", "", "unknown statement"),
    "more than five tags": ("// " + "[5 MQTT-1-1] " * 6 + "\nTEST(A, B) {}\n", "", "6 statements"),
    "tags over several lines": ("// [5 MQTT-1-1]\n" * 6 + "TEST_F(A, B) {}\n", "", "6 statements"),
    "a loose form": ("// [MQTT-1-1]\nTEST(A, B) {}\n", "", "not of the form"),
    "a tag above no test": ("// [5 MQTT-1-1]\nint a;\nTEST(A, B) {}\n", "", "above no test"),
    "a tag apart from its test": ("// [5 MQTT-1-1]\n\nTEST(A, B) {}\n", "", "above no test"),
    "a statement in both lists": ("// [5 MQTT-1-1]\nTEST(A, B) {}\n", "5.0\tMQTT-1-1\twhy\n", "said to be unseen"),
    "an unseen unknown statement": ("", "5.0\tMQTT-1-7\twhy\n", "unknown statement"),
    "an open statement": ("", "", "open: 5.0 MQTT-1-1"),
    "nothing, when all is well": ("// Why. [5 MQTT-1-1]\nTEST(A, B) {}\n", "", None),
}


def self_test():
    """[(name, complaint or None)]"""
    results = []
    for name, (text, unseen, wanted) in PLANTED.items():
        with tempfile.TemporaryDirectory() as temporary:
            root = Path(temporary)
            files = {"src/a_test.cc": text, f"{FOLDER}/unseen.tsv": "version\tid\twhy\n" + unseen,
                     f"{FOLDER}/statements.tsv": "version\tid\tbinds\tsummary\n5.0\tMQTT-1-1\tboth\tx\n"}
            for path, content in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(content, encoding="utf-8")
            stale = findings(root)
            (root / FOLDER / "mqtt.md").write_text(Conformance(root).page(), encoding="utf-8")
            found = findings(root)
            good = any(wanted in f for f in found) if wanted else not found
            good = good and any("not current" in f for f in stale)
            results.append((f"refuses {name}", None if good else f"found {found}"))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is not as it should be")
    parser.add_argument("--self-test", action="store_true", help="plant every fault and want it refused")
    options = parser.parse_args()
    if options.check:
        results = [("the page", "\n    ".join(findings(options.root)) or None)]
        results += self_test() if options.self_test else []
        for name, complaint in results:
            print(f"not ok {name}: {complaint}" if complaint else f"ok {name}")
        failed = sum(complaint is not None for _, complaint in results)
        print(f"{len(results) - failed} passed, {failed} failed")
        return 1 if failed else 0
    conformance = Conformance(options.root)
    for fault in conformance.faults:
        print(fault, file=sys.stderr)
    if conformance.faults:
        return 1
    (options.root / FOLDER / "mqtt.md").write_text(conformance.page(), encoding="utf-8")
    print(f"{FOLDER}/mqtt.md: {len(conformance.statements)} statements, {len(conformance.open())} open")
    return 0


if __name__ == "__main__":
    sys.exit(main())

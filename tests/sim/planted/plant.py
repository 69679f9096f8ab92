#!/usr/bin/env python3
"""Plants the bugs of a list into copies of the sources they name: docs/decisions/0008.

    plant.py BUGS.toml SOURCE-FOLDER OUTPUT-FOLDER    writes the changed copies and planted_bugs.cc
    plant.py BUGS.toml --files                        lists the sources that are changed, for the build

A list may begin with [[setup]]: edits that hold whichever bug is awake.
"""
import sys
import tomllib
from pathlib import Path

HEAD = "namespace arena::sim { extern unsigned planted_bug; }\n"


def load(path):
    """(edits that always hold, bugs)"""
    with open(path, "rb") as file:
        tables = tomllib.load(file)
    return tables.get("setup", []), tables["bug"]


def edits_of(bug):
    return bug.get("edit", [bug])


def files_of(setup, bugs):
    return sorted({edit["file"] for edit in setup} | {edit["file"] for bug in bugs for edit in edits_of(bug)})


def change(text, name, number, edit):
    was = edit["was"].strip("\n")
    if text.count(was) != 1:
        raise SystemExit(f"planted bug '{name}': this is {text.count(was)} times in src/{edit['file']}, not once; "
                         f"follow the change in {sys.argv[1]}:\n{was}")
    return text.replace(was, edit["now"].strip("\n").replace("BUG", f"(::arena::sim::planted_bug == {number})"))


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listing(bugs):
    lines = [f"      {{{quoted(bug['name'])}, {quoted(bug['what'])}}}," for bug in bugs]
    return "\n".join(['#include "sim/planted.h"', "", "namespace arena::sim {", "", "unsigned planted_bug = 0;", "",
                      "const std::vector<PlantedBug>& planted_bugs() {", "  static const std::vector<PlantedBug> bugs{",
                      *lines, "  };", "  return bugs;", "}", "", "}  // namespace arena::sim", ""])


def main():
    setup, bugs = load(sys.argv[1])
    if sys.argv[2:] == ["--files"]:
        print(";".join(files_of(setup, bugs)), end="")
        return
    sources, output = Path(sys.argv[2]), Path(sys.argv[3])
    texts = {name: (sources / name).read_text() for name in files_of(setup, bugs)}
    edits = [("setup", 0, edit) for edit in setup]
    edits += [(bug["name"], number, edit) for number, bug in enumerate(bugs, 1) for edit in edits_of(bug)]
    for name, number, edit in edits:
        texts[edit["file"]] = change(texts[edit["file"]], name, number, edit)
    for name, text in texts.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{HEAD}#line 1 "{sources / name}"\n{text}')
    (output / "planted_bugs.cc").write_text(listing(bugs))


main()

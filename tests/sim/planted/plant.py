#!/usr/bin/env python3
"""Plants the bugs of bugs.toml into copies of the sources they name: docs/decisions/0008.

    plant.py SOURCE-FOLDER OUTPUT-FOLDER    writes the changed copies and planted_bugs.cc
    plant.py --files                        lists the sources that are changed, for the build
"""
import sys
import tomllib
from pathlib import Path

HEAD = "namespace arena::sim { extern unsigned planted_bug; }\n"


def load():
    with open(Path(__file__).with_name("bugs.toml"), "rb") as file:
        return tomllib.load(file)["bug"]


def edits_of(bug):
    return bug.get("edit", [bug])


def files_of(bugs):
    return sorted({edit["file"] for bug in bugs for edit in edits_of(bug)})


def change(text, bug, number, edit):
    was = edit["was"].strip("\n")
    if text.count(was) != 1:
        raise SystemExit(f"planted bug '{bug['name']}': this is {text.count(was)} times in src/{edit['file']}, not once; "
                         f"follow the change in tests/sim/planted/bugs.toml:\n{was}")
    return text.replace(was, edit["now"].strip("\n").replace("BUG", f"(::arena::sim::planted_bug == {number})"))


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def listing(bugs):
    lines = [f"      {{{quoted(bug['name'])}, {quoted(bug['what'])}}}," for bug in bugs]
    return "\n".join(['#include "sim/planted.h"', "", "namespace arena::sim {", "", "unsigned planted_bug = 0;", "",
                      "const std::vector<PlantedBug>& planted_bugs() {", "  static const std::vector<PlantedBug> bugs{",
                      *lines, "  };", "  return bugs;", "}", "", "}  // namespace arena::sim", ""])


def main():
    bugs = load()
    if sys.argv[1:] == ["--files"]:
        print(";".join(files_of(bugs)), end="")
        return
    sources, output = Path(sys.argv[1]), Path(sys.argv[2])
    texts = {name: (sources / name).read_text() for name in files_of(bugs)}
    for number, bug in enumerate(bugs, 1):
        for edit in edits_of(bug):
            texts[edit["file"]] = change(texts[edit["file"]], bug, number, edit)
    for name, text in texts.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{HEAD}#line 1 "{sources / name}"\n{text}')
    (output / "planted_bugs.cc").write_text(listing(bugs))


main()

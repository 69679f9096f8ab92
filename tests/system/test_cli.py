#!/usr/bin/env python3
"""The command line, as a person and a supervisor use it: what is printed, which exit code, what a signal does."""
import json
import os
import re
import resource
import selectors
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time

from broker import SLOW, Broker, Rule, add_user, arena_bin
from durable import DurableBroker
from ports import free_port
from harness import add, equal, eventually, one_of, run_all, test
from wire import CONNACK, DISCONNECT, PUBACK, PUBLISH, Wire, connect, opened, publish

ARENA = arena_bin()
FOLDER = tempfile.mkdtemp(prefix="arena-cli-")


def arena(*arguments, text_in=None, env=None, seconds=15):
    """Runs a command to its end."""
    return subprocess.run([ARENA, *map(str, arguments)], input=text_in if text_in is not None else "", text=True,
                          capture_output=True, timeout=seconds * SLOW, env=dict(os.environ, **(env or {})), cwd=FOLDER)


def said(done, code, *patterns):
    """The command ended with this code and said all of this."""
    equal(done.returncode, code, f"exit code; it said: {done.stdout[-400:]}{done.stderr[-400:]}")
    for pattern in patterns:
        one_of(bool(re.search(pattern, done.stdout + done.stderr)), [True],
               f"/{pattern}/ in: {done.stdout}{done.stderr}")
    return done


def typed_on_a_terminal(text, *arguments):
    """What the command ends with that has this for a terminal."""
    ours, terminal = os.openpty()
    process = subprocess.Popen([ARENA, *arguments], stdin=terminal, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=FOLDER)
    os.close(terminal)
    os.write(ours, text.encode())
    try:
        return process.wait(15 * SLOW)
    finally:
        process.kill()
        os.close(ours)


def config_file(text, name="arena.toml"):
    path = os.path.join(tempfile.mkdtemp(dir=FOLDER), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def check(path):
    return arena("config", "check", "--config", path)


class Running:
    """A command that goes on running; its lines can be waited for."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([ARENA, *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=FOLDER)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.buffer, self.lines = b"", []

    def until(self, pattern, seconds=10):
        """The first line, among those already seen too, that has the pattern."""
        deadline = time.monotonic() + seconds * SLOW
        for line in self.lines:
            if re.search(pattern, line):
                return line
        while True:
            while b"\n" not in self.buffer:
                if not self.selector.select(max(0, deadline - time.monotonic())):
                    raise AssertionError(f"/{pattern}/ did not come; it said: {self.lines}")
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    raise AssertionError(f"ended without /{pattern}/; it said: {self.lines}")
                self.buffer += data
            line, self.buffer = self.buffer.split(b"\n", 1)
            self.lines.append(line.decode(errors="replace"))
            if re.search(pattern, self.lines[-1]):
                return self.lines[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


# -- Without a broker

@test
def version():
    said(arena("version"), 0, r"\d+\.\d+\.\d+")


@test
def help_names_the_commands():
    said(arena("--help"), 0, "server", "dev", "pub", "sub", "config", "user", "version")


@test
def an_unknown_command_is_told():
    said(arena("serve"), 2, "serve")


@test
def an_unknown_flag_is_told():
    said(arena("pub", "--shout", "a", "b"), 2, "shout", "next: arena pub --help")


@test
def wrong_arguments_are_told_with_what_to_do():
    for words, asks in {
            (): "arena --help",
            ("stream",): "arena stream --help",
            ("stream", "info"): "arena stream info --help",
            ("stream", "create", "a", "--filter", "a/#", "--max-messages", "-1"): "arena stream create --help",
            ("stream", "create", "a", "--filter", "a/#", "--max-bytes", "much"): "arena stream create --help",
            ("stream", "edit", "a", "--max-age", "long"): "arena stream edit --help",
            ("stream", "edit", "a"): "arena stream edit --help",
            ("stream", "rm", "a", "--data", FOLDER): "--yes",
            ("sub", "--qos", "3", "a"): "arena sub --help",
            ("doctor", "--output", "xml"): "arena doctor --help",
    }.items():
        done = said(arena(*words), 2, f"next: .*{asks}")
        equal((done.stdout, len(re.findall("next:", done.stderr))), ("", 1), words)


@test
def stream_says_what_to_do_when_there_is_no_server():
    for words in (["ls"], ["info", "a"], ["purge", "a", "--yes"]):
        said(arena("stream", *words), 2, "which server", "next: .*--url")
        said(arena("stream", *words, "--data", FOLDER), 1, "next: ")
        said(arena("stream", *words, "--url", f"http://127.0.0.1:{free_port()}"), 1, "next: ")
    with DurableBroker() as broker:
        for words in (["info", "a"], ["purge", "a", "--yes"], ["rm", "a", "--yes"], ["edit", "a", "--max-age", "1h"]):
            said(arena("stream", *words, "--data", broker.data), 1, "next: arena stream ls")
        said(arena("stream", "create", "a", "--filter", "a/#/b", "--data", broker.data), 1, "next: ")


@test
def the_default_configuration_is_valid():
    said(check(config_file(said(arena("config", "default"), 0).stdout)), 0)


@test
def a_good_configuration_passes():
    said(check(config_file('[mqtt]\nlisteners = [{ address = "127.0.0.1", port = 1883 }]\n')), 0)


@test
def config_show_tells_what_is_in_force():
    path = config_file('[mqtt]\nlisteners = [{ address = "127.0.0.1", port = 18833 }]\n')
    said(arena("config", "show", "--config", path), 0, "18833")


@test
def the_environment_overrides():
    path = config_file('[server]\nlog_level = "info"\n')
    said(arena("config", "show", "--config", path, env={"ARENA_SERVER__LOG_LEVEL": "debug"}), 0, "debug")


def bad_configuration(text, *patterns):
    path = config_file(text)
    said(check(path), 2, *patterns)


@test
def an_unknown_key_is_refused_with_a_suggestion():
    bad_configuration('[mqtt]\nlisteners = [{ address = "127.0.0.1", port = 1 }]\nlistener = 3\n',
                      r"arena\.toml:3", r"listener\b", r"(?i)did you mean.*listeners")


@test
def an_unknown_table_is_refused_with_a_suggestion():
    bad_configuration('[mqtt]\n\n[atuh]\nusers_file = "x"\n', r"arena\.toml:3", "atuh", r"(?i)did you mean.*auth")


@test
def an_unknown_key_in_a_listener_is_refused():
    bad_configuration('[mqtt]\nlisteners = [{ adress = "127.0.0.1", port = 1 }]\n', r"arena\.toml:2", "adress",
                      r"(?i)did you mean.*address")


@test
def a_wrong_type_is_refused():
    bad_configuration('[mqtt]\nlisteners = [{ address = "127.0.0.1", port = "high" }]\n', r"arena\.toml:2", "port")


@test
def a_number_out_of_range_is_refused():
    bad_configuration('[mqtt]\nlisteners = [{ address = "127.0.0.1", port = 70000 }]\n', r"arena\.toml:2", "port")


@test
def broken_toml_is_refused():
    bad_configuration('[mqtt]\nlisteners = [\n', r"arena\.toml:\d+")


@test
def a_bad_filter_in_a_rule_is_refused():
    bad_configuration(Rule("allow", "publish", ["a/#/b"]).toml(), r"arena\.toml:\d+", "a/#/b")


@test
def a_missing_file_is_refused():
    said(arena("config", "check", "--config", "/nowhere/arena.toml"), 2, "/nowhere/arena.toml")


@test
def the_server_refuses_a_bad_configuration():
    path = config_file("[mqtt]\nlistenres = []\n")
    said(arena("server", "--config", path), 2, r"arena\.toml:2", "listenres")


@test
def a_missing_users_file_refuses_start():
    path = config_file(f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {free_port()} }}]\n'
                       '[auth]\nusers_file = "/nowhere/users"\n')
    one_of(arena("server", "--config", path).returncode, [1, 2])


@test
def a_broken_users_file_refuses_start():
    path = config_file(f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {free_port()} }}]\n'
                       '[auth]\nusers_file = "users"\n')
    with open(os.path.join(os.path.dirname(path), "users"), "w", encoding="utf-8") as file:
        file.write("alice\n")
    done = subprocess.run([ARENA, "server", "--config", path], capture_output=True, text=True, timeout=15 * SLOW,
                          cwd=os.path.dirname(path))
    one_of(done.returncode, [1, 2])
    one_of("users" in done.stderr + done.stdout, [True], done.stderr)


# -- Completions, manual, exit codes

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def commands_of(*path):
    """{path: options} of a command and all below it, as --help tells them."""
    text = said(arena(*path, "--help"), 0).stdout
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text.split("Options:")[1].split("Exit codes:")[0].split("\nSubcommands")[0]))
    found = {path: options}
    if "Subcommands:" in text:
        for name in re.findall(r"^  ([a-z]+) ", text.split("Subcommands:")[1].split("Exit codes:")[0], re.M):
            found.update(commands_of(*path, name))
    return found


def shell_script(shell, text):
    path = os.path.join(FOLDER, f"completion.{shell}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(said(arena("completion", shell), 0).stdout)
    done = subprocess.run([shell, "-c", text.replace("SCRIPT", path)], capture_output=True, text=True, timeout=20 * SLOW,
                          cwd=FOLDER)
    equal((done.returncode, done.stderr), (0, ""), shell)
    return done.stdout.split("\n")


def bash_completes(*words):
    quoted = " ".join(map(shlex.quote, words))
    return {w for w in shell_script("bash", f'source SCRIPT; COMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); '
                                            f'_arena 2>/dev/null; printf "%s\\n" "${{COMPREPLY[@]}}"') if w}


def zsh_completes(*words):
    """With stand-ins for the functions that only its line editor has."""
    quoted = " ".join(map(shlex.quote, words))
    return {w.split(":")[0] for w in shell_script("zsh", "compdef() { :; }; _files() { print FILES; }; "
            "compadd() { shift; print -l -- $@; }; _describe() { print -l -- ${(P)@[-1]}; }; "
            f"source SCRIPT; words=({quoted}); CURRENT=$#words; _arena") if w}


def fish_completes(*words):
    return {w.split("\t")[0] for w in shell_script("fish", f"source SCRIPT; complete -C {shlex.quote(' '.join(words))}") if w}


def completes(shell, *words):
    return {"bash": bash_completes, "zsh": zsh_completes, "fish": fish_completes}[shell](*words)


def completion_offers(shell):
    if not shutil.which(shell):
        raise AssertionError(f"{shell} is not installed; script/test does it")
    top = completes(shell, "arena", "")
    one_of({"bench", "completion", "doctor", "pub", "server"} <= top, [True], top)
    below = completes(shell, "arena", "bench", "")
    one_of({"pairs", "fanout", "fanin", "connections"} <= below, [True], below)
    one_of("pub" in below, [False], below)
    options = completes(shell, "arena", "sub", "--")
    one_of({"--topic", "--timeout", "--keep"} <= options and "--retain" not in options, [True], options)
    equal(completes(shell, "arena", "bench", "pairs", "--output", ""), {"text", "json"})
    files = completes(shell, "arena", "config", "check", "--config", "")
    one_of(bool(files) and "check" not in files and "--config" not in files, [True], files)


for _shell in ("bash", "zsh", "fish"):
    add(f"completion in {_shell}", completion_offers, _shell, seconds=30)


@test(seconds=60)
def completions_and_manual_know_every_command():
    """--help is read the hard way; whatever it names stands in each of the others."""
    found = commands_of()
    one_of(len(found) > 20, [True], "commands")
    texts = {shell: said(arena("completion", shell), 0).stdout for shell in ("bash", "zsh", "fish")}
    manual = said(arena("man"), 0).stdout.replace("\\-", "-")
    for path, options in found.items():
        where = " ".join(("arena", *path))
        if not any(other[:len(path)] == path and len(other) > len(path) for other in found):
            one_of(f".SS {where}\n" in manual, [True], where)
            page = manual.split(f".SS {where}\n")[1].split(".SS ")[0]
            one_of([o for o in options if f"\\fB{o}\\fR" not in page], [[]], where)
        bash = re.search(rf'"{where}"\) commands="(.*)" options="(.*)" ;;', texts["bash"])
        one_of(options - set(bash.group(2).split()), [set()], where)
        zsh = texts["zsh"].split(f'"{where}")\n')[1].split(";;")[0]
        one_of([o for o in options if f"'{o}:" not in zsh], [[]], where)
        fish = "\n".join(line for line in texts["fish"].split("\n") if f"'__arena_at \\'{where}\\''" in line)
        one_of([o for o in options if f" -l {o[2:]} " not in fish], [[]], where)


@test
def the_manual_page_in_docs_is_current():
    with open(os.path.join(ROOT, "docs", "man", "arena.1"), encoding="utf-8") as file:
        one_of(said(arena("man"), 0).stdout == file.read(), [True],
               "docs/man/arena.1 is made by: build/release/arena man > docs/man/arena.1")


@test
def the_manual_page_is_well_formed():
    if not shutil.which("groff"):
        return  # it is only a formatter; the page's content is tested without it
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=said(arena("man"), 0).stdout, text=True,
                          capture_output=True, timeout=20 * SLOW)
    equal((done.returncode, done.stderr), (0, ""))


@test(seconds=30)
def every_documented_exit_code_happens():
    with open(os.path.join(ROOT, "docs", "COMMAND_LINE.md"), encoding="utf-8") as file:
        documented = dict(re.findall(r"^\| (\d+) \| (.*) \|$", file.read(), re.M))
    told = dict(re.findall(r"^ +(\d+)  (.*)$", said(arena("--help"), 0).stdout.split("Exit codes:")[1], re.M))
    equal(documented, told, "docs/COMMAND_LINE.md beside --help")
    with Broker(users={"alice": "wonder"}, rules=[Rule("allow", "all", ["mine/#"])]) as broker:
        at_alice = ["-p", str(broker.port), "-u", "alice"]
        happened = {
            0: arena("pub", *at_alice, "-q", "1", "mine/x", "1", env={"ARENA_PASSWORD": "wonder"}),
            1: arena("pub", "-p", free_port(), "a", "b"),
            2: arena("pub", "--shout"),
            3: arena("pub", *at_alice, "mine/x", "1", env={"ARENA_PASSWORD": "wrong"}),
            10: arena("doctor", "--config", config_file("[mqqt]\n")),
            124: arena("sub", *at_alice, "mine/nothing", "--timeout", "100ms", env={"ARENA_PASSWORD": "wonder"}),
        }
        refused = arena("pub", *at_alice, "-q", "1", "yours/x", "1", env={"ARENA_PASSWORD": "wonder"})
    equal({code: done.returncode for code, done in happened.items()}, {int(code): int(code) for code in documented})
    equal(refused.returncode, 3, "permissions")


# -- doctor

def doctor(*arguments, code=0, env=None):
    """{subject: finding}"""
    done = said(arena("doctor", "--output", "json", *arguments, env=env), code)
    return {f["subject"]: f for f in map(json.loads, done.stdout.splitlines())}


def listening_at(port):
    return config_file(f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {port} }}]\n')


@test
def doctor_finds_nothing_in_the_way():
    port = free_port()
    found = doctor("--config", listening_at(port))
    equal(found[f"port {port}"]["verdict"], "ok")
    for subject in ("configuration", "files", "memory", "clock", "net.core.somaxconn"):
        one_of(subject in found, [True], subject)
    for finding in found.values():
        one_of(finding["verdict"] == "ok" or bool(finding["next"]), [True], f"says what to do: {finding}")
    said(arena("doctor", "--config", listening_at(port)), 0, r"ok +port", r"\d+ ok, \d+ to look at, 0 in the way")


@test
def doctor_names_a_port_that_is_taken():
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        equal(doctor("--config", listening_at(port), code=10)[f"port {port}"]["verdict"], "fail")


@test
def doctor_knows_an_mqtt_server():
    with Broker() as broker:
        finding = doctor("--config", listening_at(broker.port))[f"port {broker.port}"]
    equal(finding["verdict"], "ok")
    one_of("MQTT" in finding["what"], [True], finding)


@test
def doctor_looks_at_the_store():
    folder = tempfile.mkdtemp(dir=FOLDER)

    def found(data, code=0, reserve=2 ** 24):
        text = f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = 0 }}]\n[store]\ndata = "{data}"\nreserve_bytes = {reserve}\n'
        return doctor("--config", config_file(text), code=code)

    equal(found(os.path.join(folder, "new"))["store"]["verdict"], "ok")
    equal(os.listdir(folder), [], "nothing is made")
    equal(found(os.path.join(folder, "not", "there"), code=10)["store"]["verdict"], "fail")
    file = config_file("")
    equal(found(file, code=10)["store"]["verdict"], "fail")
    equal(found(folder, code=10, reserve=2 ** 50)["disk space"]["verdict"], "fail")
    broker = DurableBroker().start()
    try:
        running = found(broker.data)
        equal(running["store"]["verdict"], "ok")
        one_of("format 2" in running["store"]["what"] and "in use" in running["store"]["what"], [True], running["store"])
        equal(running["disk space"]["verdict"], "ok")
        equal(broker.stop(keep=True), 0)
        before = {name: os.stat(os.path.join(broker.data, name)).st_mtime_ns for name in os.listdir(broker.data)}
        stopped = found(broker.data)["store"]
        one_of("format 2" in stopped["what"] and "in use" not in stopped["what"], [True], stopped)
        equal({name: os.stat(os.path.join(broker.data, name)).st_mtime_ns for name in os.listdir(broker.data)}, before, "nothing is written")
        with open(os.path.join(broker.data, "format"), "r+", encoding="utf-8") as marked:
            marked.write("arena-store 9")
        later = found(broker.data, code=10)["store"]
        one_of("later release" in later["what"], [True], later)
    finally:
        shutil.rmtree(broker.folder, ignore_errors=True)


@test
def doctor_judges_the_configuration():
    finding = doctor("--config", config_file("[mqtt]\nlistenres = []\n"), code=10)["configuration"]
    one_of("arena.toml:2" in finding["what"] and "listenres" in finding["what"], [True], finding)
    path = config_file(f'[mqtt]\nlisteners = [{{ address = "127.0.0.1", port = {free_port()} }}]\n'
                       '[auth]\nusers_file = "/nowhere/users"\n')
    equal(doctor("--config", path, code=10)["access"]["verdict"], "fail")
    doctor(env={"ARENA_MQTT__QOS_MAX": "9"}, code=10)


@test
def the_server_asks_for_all_files_it_may_have():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, before[1]), before[1]))  # inherited by what is started
    try:
        with Broker(configured=True) as broker:
            with open(f"/proc/{broker.process.pid}/limits", encoding="ascii") as file:
                soft, hard = re.search(r"Max open files +(\d+) +(\d+)", file.read()).groups()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    equal(soft, hard)


# -- Users

@test
def user_add_stores_no_password():
    path = os.path.join(tempfile.mkdtemp(dir=FOLDER), "users")
    add_user(path, "dave", "correct horse")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    one_of(bool(re.search(r"^dave:\$argon2id\$", text, re.M)), [True], text)
    one_of("correct horse" in text, [False])
    equal(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, "nobody else may read it")
    add_user(path, "erin", "staple")
    with open(path, encoding="utf-8") as file:
        equal(sorted(line.split(":")[0] for line in file if line.strip() and not line.startswith("#")),
              ["dave", "erin"])


@test
def user_add_refuses_bad_names():
    path = os.path.join(tempfile.mkdtemp(dir=FOLDER), "users")
    for name in ("a:b", "", "a\nb"):
        done = arena("user", "add", "--file", path, "--password-stdin", "--", name, text_in="x\n")
        one_of(done.returncode, [1, 2], f"exit code for the name {name!r}")


# -- arguments

@test
def numbers_that_are_none_are_refused():
    for arguments in (("pub", "a", "x", "--count", "-1"), ("pub", "a", "x", "--rate", "nan"), ("sub", "a", "-C", "-1"),
                      ("sub", "a", "--session-expiry", "5"), ("dev", "--threads", "65"), ("dev", "--data", ""),
                      ("bench", "pairs", "--rate", "inf")):
        one_of(arena(*arguments).returncode, [2], f"exit code of {arguments}")


# -- dev

@test(seconds=30)
def dev_is_ready_to_paste():
    port = free_port()
    with Running("dev", "--mqtt", port) as dev:
        dev.until("(?i)ready")
        lines = {}
        for kind in ("sub", "pub"):
            line = dev.until(rf"\barena {kind} ")
            lines[kind] = shlex.split(line[line.index("arena " + kind):])
            lines[kind][0] = ARENA
        sub = subprocess.Popen(lines["sub"] + ["--count", "1", "--timeout", "10"], stdout=subprocess.PIPE, text=True)
        topic = [word for word in lines["pub"][2:] if "/" in word][0]

        def heard():  # what is printed is pasted until the subscriber, which says nothing when ready, has heard it
            subprocess.run(lines["pub"], check=True, timeout=10 * SLOW, capture_output=True)
            return sub.poll() is not None
        eventually(heard, f"the printed lines work ({topic})", 10)
        equal(sub.returncode, 0)
        one_of(bool(sub.stdout.read().strip()), [True], "something was printed")
        sub.stdout.close()
        dev.process.send_signal(signal.SIGTERM)
        equal(dev.process.wait(5 * SLOW), 0, "exit code on SIGTERM")


@test
def dev_ends_with_interrupt():
    with Running("dev", "--mqtt", free_port()) as dev:
        dev.until("(?i)ready")
        dev.process.send_signal(signal.SIGINT)
        one_of(dev.process.wait(5 * SLOW), [0, 130])


@test
def dev_listens_on_loopback_alone():
    port = free_port()
    with Running("dev", "--mqtt", port) as dev:
        dev.until("(?i)ready")
        with open("/proc/net/tcp", encoding="ascii") as file:
            local = [line.split()[1] for line in file.readlines()[1:] if line.split()[3] == "0A"]
        addresses = {a.split(":")[0] for a in local if int(a.split(":")[1], 16) == port}
        equal(addresses, {"0100007F"})


@test
def a_taken_port_is_told():
    port = free_port()
    with Running("dev", "--mqtt", port) as dev:
        dev.until("(?i)ready")
        said(arena("dev", "--mqtt", port), 1, str(port))


# -- pub and sub

SHARED = Broker().start()


def at(port=None):
    return ["-h", "127.0.0.1", "-p", str(port or SHARED.port)]


def retain(topic, payload, *more):
    said(arena("pub", *at(), "-q", "1", "--retain", topic, payload, *more), 0)


@test
def pub_and_sub_with_a_retained_value():
    retain("cli/kept", "hello")
    done = said(arena("sub", *at(), "cli/kept", "--count", "1", "--timeout", "5"), 0)
    one_of("hello" in done.stdout, [True], done.stdout)


@test
def sub_format():
    retain("cli/format", "body")
    done = said(arena("sub", *at(), "cli/format", "--count", "1", "--timeout", "5", "--format", "%t|%p|%q|%r"), 0)
    equal(done.stdout, "cli/format|body|0|1\n")


@test
def sub_json():
    retain("cli/json", '{"a":1}')
    done = said(arena("sub", *at(), "cli/json", "--count", "1", "--timeout", "5", "--json"), 0)
    got = json.loads(done.stdout)
    equal((got["topic"], got["retain"]), ("cli/json", True))
    equal(got["payload"], '{"a":1}')


@test
def sub_times_out_with_124():
    said(arena("sub", *at(), "cli/nothing", "--count", "1", "--timeout", "1"), 124)


@test
def sub_count_ends():
    for n in range(3):
        retain(f"cli/count/{n}", str(n))
    done = said(arena("sub", *at(), "cli/count/+", "--count", "3", "--timeout", "5", "--format", "%p"), 0)
    equal(sorted(done.stdout.split()), ["0", "1", "2"])


@test
def sub_takes_more_filters_than_fit_one_packet():
    retain("cli/many/249", "last")
    filters = [f"cli/many/{n}" for n in range(250)]
    done = said(arena("sub", *at(), *filters, "--count", "1", "--timeout", "5"), 0)
    equal(done.stdout, "last\n")


@test
def pub_at_every_guarantee_in_both_versions():
    with opened(SHARED.port, 4, "cli-watch") as watch:
        watch.subscribe(("cli/q", 2))
        for mqtt in ("3.1.1", "5"):
            for qos in "012":
                said(arena("pub", *at(), "-q", qos, "--mqtt-version", mqtt, "cli/q", f"{mqtt}-{qos}"), 0)
                got = watch.expect(PUBLISH, payload=f"{mqtt}-{qos}".encode(), qos=int(qos))
                if qos == "1":
                    watch.send(b"\x40\x02" + got.packet_id.to_bytes(2, "big"))


@test
def pub_from_standard_input():
    with opened(SHARED.port, 4, "cli-stdin") as watch:
        watch.subscribe("cli/stdin")
        said(arena("pub", *at(), "cli/stdin", "-", text_in="from afar\n"), 0)
        one_of(watch.expect(PUBLISH).payload, [b"from afar", b"from afar\n"])


@test
def pub_without_a_broker_fails():
    port = free_port()
    said(arena("pub", "-h", "127.0.0.1", "-p", port, "a", "b"), 1, str(port))


@test
def pub_to_a_wildcard_is_a_mistake():
    one_of(arena("pub", *at(), "a/#", "b").returncode, [1, 2])


@test
def sub_acknowledges_only_what_it_could_write():
    kept = ("sub", "full/x", "-q", 1, "--keep", "-i", "full", *at(None))
    said(arena(*kept, "-W", "200ms"), 124)
    said(arena("pub", "full/x", "precious", "-q", 1, *at(None)), 0)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([ARENA, *map(str, kept), "-C", "1"], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=15 * SLOW, cwd=FOLDER)
    equal(done.returncode, 1, done.stderr)
    said(arena(*kept, "-C", "1"), 0, "precious")


@test
def text_that_could_not_be_written_is_a_failure():
    for command in (("man",), ("config", "default"), ("config", "doc"), ("completion", "bash")):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ARENA, *command], stdout=full, stderr=subprocess.PIPE, timeout=15 * SLOW, cwd=FOLDER)
        equal(done.returncode, 1, command)


# -- bench

def bench(*arguments, port=None, code=0):
    done = said(arena("bench", *arguments, *at(port), "--output", "json", seconds=40), code)
    one_of("\r" in done.stderr, [False], "progress is for terminals")
    return json.loads(done.stdout)


@test(seconds=60)
def bench_checks_every_scenario():
    for scenario in (["pairs", "--pairs", "3"], ["pairs", "--pairs", "2", "-q", "1", "--window", "5"],
                     ["pairs", "--pairs", "2", "-q", "2", "--window", "5"], ["fanout", "--subscribers", "7"],
                     ["fanin", "--publishers", "5", "--size", "1024"]):
        got = bench(*scenario, "--messages", "50")
        equal([got[k] for k in ("lost", "duplicated", "reordered", "foreign")], [0, 0, 0, 0], str(scenario))
        equal(got["published"], 50 * got["publishers"], str(scenario))
        equal(got["delivered"], got["published"] * (7 if "fanout" in scenario else 1), str(scenario))


@test(seconds=60)
def bench_measures_connections():
    pid = SHARED.process.pid
    got = bench("connections", "-n", "50", "--server-pid", pid)
    equal(got["clients"], 50)
    one_of(got["server_cpu_us"] > 0 and got["server_rss_bytes_per_client"] is not None, [True], got)


def sessions_kept(broker):
    broker.kill()
    return int(re.search(r"^sessions +(\d+)$", said(arena("store", "stats", broker.data), 0).stdout, re.M).group(1))


@test(seconds=60)
def bench_reads_later_what_it_published():
    with DurableBroker() as broker:
        said(arena("stream", "create", "load", "--filter", "load/#", "--data", broker.data), 0)
        for scenario in (["offline", "--sessions", "4"], ["replay"], ["replay", "-q", "2", "--topics", "load/x", "--pause", "1"]):
            got = bench(*scenario, "--publishers", "3", "--messages", "200", "--readers", "2", port=broker.port)
            equal([got[k] for k in ("lost", "duplicated", "reordered", "foreign", "published")], [0, 0, 0, 0, 600], str(scenario))
            equal(got["read"]["delivered"], 1200, str(scenario))
        equal(sessions_kept(broker), 0, "the sessions were removed")


@test(seconds=60)
def bench_leaves_persistent_sessions_when_asked():
    with DurableBroker() as broker:
        equal(bench("connections", "-n", "70", "--persistent", port=broker.port)["clients"], 70)
        equal("read" in bench("offline", "--messages", "5", "--sessions", "3", "--readers", "0", "--keep", port=broker.port), False)
        equal(sessions_kept(broker), 73)


@test
def bench_of_a_stream_needs_one():
    with DurableBroker() as broker:
        said(arena("bench", "replay", "--messages", "5", "--publishers", "2", *at(broker.port)), 1, "a subscription was refused", "arena stream create")


def fixed_rate_with_a_stall(of_server):
    """Latency counts from when a message was due: half a second in which either side stands still shows in many."""
    with Broker() as broker:
        command = [ARENA, "bench", "pairs", "--pairs", "1", "--rate", "200", "--duration", "2s", *at(broker.port),
                   "--output", "json"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with opened(broker.port, 4, "bench-watch") as watch:
            watch.subscribe("load/#")
            for _ in range(150):  # in the midst of what is measured, after a warm-up of half a second
                watch.expect(PUBLISH)
        stalled = broker.process if of_server else running
        stalled.send_signal(signal.SIGSTOP)
        time.sleep(0.5)  # the stall itself
        stalled.send_signal(signal.SIGCONT)
        got = json.loads(running.communicate(timeout=30 * SLOW)[0])
    equal((running.returncode, got["lost"]), (0, 0))
    one_of(got["latency_max_us"] > 400_000 and got["latency_p90_us"] > 100_000, [True], got)


for _stalled in ("server", "bench itself"):
    add(f"bench at a fixed rate hides no stall of the {_stalled}", fixed_rate_with_a_stall, _stalled == "server", seconds=60)


@test
def bench_shows_progress_on_a_terminal():
    master, slave = os.openpty()
    command = [ARENA, "bench", "pairs", "--pairs", "1", "--duration", "1s", *at()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    os.close(master)
    process.communicate(timeout=20 * SLOW)
    one_of(b"measuring" in seen and b"/s" in seen, [True], seen)


@test
def bench_without_a_broker_fails():
    said(arena("bench", "pairs", "-p", free_port()), 1, "arena dev")


# -- The server and its signals

@test
def terminate_drains():
    broker = Broker(configured=True).start()
    clients = [opened(broker.port, 5, f"drain{n}") for n in range(5)]
    clients[0].subscribe(("drain", 1))
    clients[1].send(publish(5, "drain", "x", qos=1)).expect(PUBACK, reason=0)
    start = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    equal(clients[0].expect(PUBLISH).payload, b"x")
    for client in clients:
        client.expect(DISCONNECT, reason=0x8B)
        client.expect_closed()
    equal(broker.process.wait(5 * SLOW), 0, "exit code")
    one_of(time.monotonic() - start < 5 * SLOW, [True], "within 5 s")
    broker.stop()


@test
def terminate_does_not_wait_for_the_deaf():
    """A client that reads nothing does not keep the server from ending within 5 s."""
    broker = Broker().start()
    deaf = opened(broker.port, 4, "deaf")
    deaf.subscribe("flood")
    with opened(broker.port, 4, "flood") as other:
        for _ in range(64):
            other.send(publish(4, "flood", b"x" * 65536))
        other.ping()
    start = time.monotonic()
    broker.process.send_signal(signal.SIGTERM)
    equal(broker.process.wait(6 * SLOW), 0, "exit code")
    one_of(time.monotonic() - start < 5.5 * SLOW, [True], "within 5 s")
    deaf.close()
    broker.stop()


def allowed(broker, topic, user="alice", password="wonder"):
    """Does the broker grant alice this subscription?"""
    with opened(broker.port, 4, f"probe-{topic.replace('/', '-')}", user=user, password=password) as wire:
        return wire.subscribe((topic, 1)) == [1]


@test
def hang_up_reloads_rules():
    with Broker(users={"alice": "wonder"}, rules=[Rule("allow", "all", ["old/#"])]) as broker:
        equal((allowed(broker, "old/x"), allowed(broker, "new/x")), (True, False))
        broker.rules = [Rule("allow", "all", ["new/#"])]
        broker.write_config()
        broker.hang_up()
        eventually(lambda: allowed(broker, "new/x"), "the new rule holds")
        equal(allowed(broker, "old/x"), False)


@test
def a_reload_reaches_live_subscriptions():
    with Broker(users={"alice": "wonder"}, rules=[Rule("allow", "all", ["live/#", "stay/#"])]) as broker:
        with opened(broker.port, 5, "live", user="alice", password="wonder") as wire:
            wire.subscribe(("live/x", 0), ("stay/x", 0))
            wire.send(publish(5, "live/x", "1")).expect(PUBLISH)
            broker.rules = [Rule("allow", "publish", ["live/#"]), Rule("allow", "all", ["stay/#", "new/#"])]
            broker.write_config()
            broker.hang_up()
            eventually(lambda: allowed(broker, "new/x"), "the new rules hold")
            wire.send(publish(5, "live/x", "2"), publish(5, "stay/x", "3"))
            wire.expect(PUBLISH, payload=b"3")


@test
def hang_up_reloads_users():
    with Broker(users={"alice": "wonder"}, rules=[Rule("allow", "all", ["a/#"])]) as broker:
        add_user(broker.users_file, "zoe", "late")
        broker.hang_up()

        def let_in():
            with Wire(broker.port, 4) as wire:
                wire.send(connect(4, "zoe-probe", user="zoe", password="late"))
                return wire.expect(CONNACK).reason == 0
        eventually(let_in, "the new user is let in")


@test
def a_reload_disconnects_who_may_not_connect_any_more():
    with Broker(users={"alice": "wonder", "bob": "builder", "carol": "old"}) as broker:
        wires = {name: opened(broker.port, 5, name, user=name, password=word) for name, word in broker.users.items()}
        said(arena("user", "remove", "--file", broker.users_file, "bob", "--yes"), 0)
        said(arena("user", "passwd", "--file", broker.users_file, "carol", "--password-stdin", text_in="new\n"), 0)
        broker.hang_up()
        for name in ("bob", "carol"):
            wires[name].expect(DISCONNECT, reason=0x98)
            wires[name].expect_closed()
        wires["alice"].ping()


@test
def removing_a_user_asks_first():
    file = config_file("", "users")
    said(arena("user", "add", "--file", file, "bob", "--password-stdin", text_in="builder\n"), 0)
    said(arena("user", "remove", "--file", file, "bob", text_in="bob\n"), 2, "next: .*--yes")
    equal(typed_on_a_terminal("bobby\n", "user", "remove", "--file", file, "bob"), 2)
    said(arena("user", "list", "--file", file), 0, "bob")
    equal(typed_on_a_terminal("bob\n", "user", "remove", "--file", file, "bob"), 0)
    equal(said(arena("user", "list", "--file", file), 0).stdout, "")
    said(arena("user", "add", "--file", file, "bob", "--password-stdin", text_in="builder\n"), 0)
    said(arena("user", "remove", "--file", file, "bob", "--yes"), 0, "removed bob")
    said(arena("user", "remove", "--file", file, "bob", "--yes"), 1, "no user \"bob\"", f"next: arena user list --file {file}")


@test
def a_bad_reload_changes_nothing():
    with Broker(users={"alice": "wonder"}, rules=[Rule("allow", "all", ["old/#"])]) as broker:
        broker.rules = [Rule("allow", "all", ["new/#"])]
        with open(broker.config, "w", encoding="utf-8") as file:
            file.write(broker.config_text() + "\n[mqqt]\nx = 1\n")
        before = len(broker.log())
        broker.hang_up()
        eventually(lambda: "mqqt" in broker.log()[before:], "the log names the bad key")
        equal((allowed(broker, "old/x"), allowed(broker, "new/x")), (True, False))


@test
def the_log_says_that_anonymous_is_let_in():
    with Broker(configured=True) as broker:
        eventually(lambda: "anonymous" in broker.log().lower(), "a word on anonymous clients")


@test
def the_log_is_json_lines():
    with Broker(users={"alice": "wonder"}) as broker:
        opened(broker.port, 4, "logged", user="alice", password="wonder").leave()
        with Wire(broker.port, 4) as wire:
            wire.send(connect(4, "odd\n\"id", user="nobody", password="secret-canary"))
            wire.read()
        broker.stop(keep=True)
        lines = broker.log().splitlines()
        one_of(len(lines) > 0, [True])
        for line in lines:
            one_of(isinstance(json.loads(line), dict), [True], line)
        one_of("secret-canary" in broker.log() or "wonder" in broker.log(), [False], "no password in the log")


@test
def anonymous_elsewhere_than_loopback_is_refused():
    """Without users, a listener that the network can reach does not let anonymous clients in."""
    port = free_port()
    path = config_file(f'[mqtt]\nlisteners = [{{ address = "0.0.0.0", port = {port} }}]\n')
    with Running("server", "--config", path) as server:
        eventually(lambda: server.process.poll() is None and connects(port), "it listens")
        address = own_address()
        if address:

            with socket.create_connection((address, port), timeout=5) as raw:
                raw.sendall(connect(5, "outside"))
                answer = raw.recv(64)
                one_of(answer[:1] in (b"", b"\x20") and (not answer or answer[3] >= 0x80), [True], answer)


def connects(port):

    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def own_address():
    """An address of this machine's own that is not loopback, if it has one."""
    done = subprocess.run(["hostname", "-I"], capture_output=True, text=True)
    return next((a for a in done.stdout.split() if "." in a and not a.startswith("127.")), None)


@test
def the_shared_broker_ends_well():
    equal(SHARED.stop(), 0)
    shutil.rmtree(FOLDER, ignore_errors=True)


run_all()

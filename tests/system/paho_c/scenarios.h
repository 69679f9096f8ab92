// What both of Paho's C clients are put through; included, inside its
// unnamed namespace, after a class Client over one of them:
//
//   Client(int version, Options)           connects; reason() is CONNACK's, present() its session-present flag,
//                                          if tells_present(version)
//   int subscribe(filter, qos, SubscribeOptions = {})     the guarantee granted, or the refusal
//   int publish(topic, payload, qos, retained = false, content_type = "")   the acknowledgement's reason
//   Message next()                         the next message; fails when none comes
//   void leave()                           DISCONNECT
//   void wait_lost()                       until the broker has ended the connection
#pragma once

const std::string open_port = std::getenv("OPEN_PORT") ? std::getenv("OPEN_PORT") : "";
const std::string auth_port = std::getenv("AUTH_PORT") ? std::getenv("AUTH_PORT") : "";

std::string unique(const std::string& prefix) {
  static int counter = 0;
  return prefix + std::to_string(++counter);
}

template <typename A, typename B>
void same(const A& got, const B& wanted, const std::string& what) {
  if (got == wanted) return;
  std::ostringstream text;
  text << what << ": got " << got << ", wanted " << wanted;
  throw Failed(text.str());
}

void expect(Client& client, const std::string& topic, const std::string& payload, int qos = -1, int retained = -1) {
  const Message got = client.next();
  same(got.topic, topic, "topic");
  same(got.payload, payload, "payload");
  if (qos >= 0) same(got.qos, qos, "guarantee");
  if (retained >= 0) same(got.retained, retained, "retained");
}

// A marker makes the round trip; nothing else may have come before it.
void nothing_more(Client& client) {
  const std::string marker = unique("c-marker/");
  client.subscribe(marker, 1);
  client.publish(marker, "end", 1);
  expect(client, marker, "end");
}

void connected(const Client& client) { same(client.reason(), 0, "CONNACK"); }

Options lasting(int version, const std::string& id) {
  Options options;
  options.id = id;
  options.clean = false;
  options.expiry = version == 5 ? 300 : -1;
  return options;
}

void round_trip(int version, int qos) {
  const std::string topic = unique("c/");
  Client client(version, {});
  connected(client);
  same(client.subscribe(topic, qos), qos, "granted");
  for (int n = 0; n < 20; n++) same(client.publish(topic, std::to_string(n), qos), 0, "acknowledgement");
  for (int n = 0; n < 20; n++) expect(client, topic, std::to_string(n), qos, 0);
  client.leave();
}

void large_payload(int version) {
  const std::string topic = unique("c/"), payload(200'000, 'x');
  Client client(version, {});
  connected(client);
  client.subscribe(topic, 1);
  client.publish(topic, payload, 1);
  same(client.next().payload.size(), payload.size(), "size");
  client.leave();
}

void retained(int version) {
  const std::string topic = unique("c-kept/");
  Client client(version, {});
  connected(client);
  client.publish(topic, "kept", 1, true);
  client.subscribe(topic, 1);
  expect(client, topic, "kept", 1, 1);
  client.publish(topic, "", 1, true);
  expect(client, topic, "", 1, 0);
  client.leave();
  Client late(version, {});
  connected(late);
  late.subscribe(topic, 1);
  nothing_more(late);
  late.leave();
}

// The library has no way to break a connection, so another process connects and dies.
void will_after_death(int version, const char* program) {
  const std::string topic = unique("c-will/");
  Client watch(version, {});
  connected(watch);
  watch.subscribe(topic, 2);
  const std::string number = std::to_string(version);
  const char* arguments[] = {program, "--die", number.c_str(), topic.c_str(), nullptr};
  pid_t child = 0;
  same(posix_spawn(&child, program, nullptr, nullptr, const_cast<char**>(arguments), environ), 0, "spawn");
  int status = 0;
  waitpid(child, &status, 0);
  same(WEXITSTATUS(status), 3, "the other process connected");
  expect(watch, topic, "died", 1, 0);
  watch.leave();
}

int die(int version, const std::string& topic) {
  Options options;
  options.will_topic = topic;
  options.will_payload = "died";
  options.will_qos = 1;
  Client client(version, options);
  _exit(client.reason() == 0 ? 3 : 4);
}

void no_will_after_disconnect(int version) {
  const std::string topic = unique("c-will/");
  Client watch(version, {});
  connected(watch);
  watch.subscribe(topic, 1);
  Options options;
  options.will_topic = topic;
  options.will_payload = "died";
  Client polite(version, options);
  connected(polite);
  polite.leave();
  nothing_more(watch);
  watch.leave();
}

void session_waits(int version, int qos) {
  const std::string topic = unique("c-session/"), id = unique("c-session-id");
  {
    Client first(version, lasting(version, id));
    connected(first);
    same(first.present(), false, "session present at first");
    first.subscribe(topic, qos);
    first.leave();
  }
  {
    Client other(version, {});
    connected(other);
    for (int n = 0; n < 10; n++) other.publish(topic, std::to_string(n), qos);
    other.leave();
  }
  {
    Client second(version, lasting(version, id));
    connected(second);
    if (Client::tells_present(version)) same(second.present(), true, "session present later");
    for (int n = 0; n < 10; n++) expect(second, topic, std::to_string(n), qos);
    nothing_more(second);
    second.leave();
  }
  Options clean;
  clean.id = id;
  Client last(version, clean);
  connected(last);
  same(last.present(), false, "session present after a clean start");
  last.leave();
}

void taken_over(int version) {
  Options options;
  options.id = unique("c-taken");
  Client first(version, options);
  connected(first);
  Client second(version, options);
  connected(second);
  first.wait_lost();
  nothing_more(second);
  second.leave();
}

void shared(int version) {
  const std::string topic = unique("c-shared/");
  Client one(version, {}), two(version, {}), other(version, {});
  for (Client* client : {&one, &two, &other}) connected(*client);
  for (Client* member : {&one, &two}) same(member->subscribe("$share/c/" + topic, 1), 1, "granted");
  for (int n = 0; n < 20; n++) other.publish(topic, std::to_string(n), 1);
  eventually([&] { return one.waiting() + two.waiting() >= 20; }, "all shared out");
  std::multiset<int> seen;
  for (Client* member : {&one, &two}) {
    same(member->waiting() > 0, true, "each member had some");
    while (member->waiting() > 0) seen.insert(std::stoi(member->next().payload));
  }
  same(seen.size(), 20u, "messages");
  for (int n = 0; n < 20; n++) same(seen.count(n), 1u, "each once");
  for (Client* client : {&one, &two, &other}) client->leave();
}

Options user(const std::string& name, const std::string& password) {
  Options options;
  options.port = auth_port;
  options.user = name;
  options.password = password;
  return options;
}

void password_wrong(int version) {
  Client client(version, user("bob", "wrong"));
  const std::vector<int> codes = version == 5 ? std::vector<int>{0x86, 0x87} : std::vector<int>{4, 5};
  if (std::find(codes.begin(), codes.end(), client.reason()) == codes.end())
    throw Failed("CONNACK: got " + std::to_string(client.reason()));
}

void permissions(int version) {
  Client alice(version, user("alice", "wonder")), bob(version, user("bob", "builder"));
  connected(alice);
  connected(bob);
  same(alice.subscribe("news/#", 1), 1, "allowed subscription");
  same(bob.subscribe("drop/#", 1), version == 5 ? 0x87 : 0x80, "denied subscription");
  const int denied = bob.publish("news/c", "fake", 1);
  if (version == 5) same(denied, 0x87, "denied publish");
  same(alice.publish("news/c", "true", 1), 0, "allowed publish");
  expect(alice, "news/c", "true");
  alice.leave();
  bob.leave();
}

void no_local() {
  const std::string topic = unique("c/");
  Client client(5, {});
  connected(client);
  SubscribeOptions options;
  options.no_local = true;
  client.subscribe(topic, 1, options);
  client.publish(topic, "mine", 1);
  nothing_more(client);
  client.leave();
}

void retain_handling(int handling, bool first, bool second) {
  const std::string topic = unique("c-kept/");
  Client client(5, {});
  connected(client);
  client.publish(topic, "kept", 1, true);
  SubscribeOptions options;
  options.retain_handling = handling;
  for (const bool wanted : {first, second}) {
    client.subscribe(topic, 1, options);
    if (wanted) expect(client, topic, "kept", 1, 1);
    nothing_more(client);
  }
  client.publish(topic, "", 1, true);
  client.leave();
}

void content_type() {
  const std::string topic = unique("c/");
  Client client(5, {});
  connected(client);
  client.subscribe(topic, 1);
  client.publish(topic, "x", 1, false, "text/c");
  same(client.next().content_type, "text/c", "content type");
  client.leave();
}

int run_scenarios(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "--die") return die(std::stoi(argv[2]), argv[3]);
  std::vector<std::pair<std::string, std::function<void()>>> tests;
  for (const int v : {4, 5}) {
    const std::string label = "v" + std::to_string(v) + " ";
    for (const int q : {0, 1, 2})
      tests.emplace_back(label + "round trip at " + std::to_string(q), [=] { round_trip(v, q); });
    for (const int q : {1, 2})
      tests.emplace_back(label + "a session waits at " + std::to_string(q), [=] { session_waits(v, q); });
    tests.emplace_back(label + "a large payload", [=] { large_payload(v); });
    tests.emplace_back(label + "retained", [=] { retained(v); });
    tests.emplace_back(label + "will of a process that died", [=] { will_after_death(v, argv[0]); });
    tests.emplace_back(label + "no will after DISCONNECT", [=] { no_will_after_disconnect(v); });
    tests.emplace_back(label + "take-over", [=] { taken_over(v); });
    tests.emplace_back(label + "shared subscription", [=] { shared(v); });
    tests.emplace_back(label + "a wrong password", [=] { password_wrong(v); });
    tests.emplace_back(label + "permissions", [=] { permissions(v); });
  }
  tests.emplace_back("v5 no local", no_local);
  tests.emplace_back("v5 retain handling 0", [] { retain_handling(0, true, true); });
  tests.emplace_back("v5 retain handling 1", [] { retain_handling(1, true, false); });
  tests.emplace_back("v5 retain handling 2", [] { retain_handling(2, false, false); });
  tests.emplace_back("v5 content type", content_type);
  int passed = 0, failed = 0;
  for (const auto& [name, test] : tests) {
    const auto start = std::chrono::steady_clock::now();
    try {
      test();
      passed++;
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      std::cout << "ok " << name << " (" << took.count() << " s)" << std::endl;
    } catch (const std::exception& error) {
      failed++;
      std::cout << "not ok " << name << ": " << error.what() << std::endl;
    }
  }
  std::cout << passed << " passed, " << failed << " failed" << std::endl;
  _exit(failed || !passed);  // the library's threads need not be wound up after a failure
}

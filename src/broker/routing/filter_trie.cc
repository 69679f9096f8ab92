#include "broker/routing/filter_trie.h"

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/sparse.h"
#include "broker/routing/value_list.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

using NodeId = uint32_t;
using LevelId = uint32_t;
constexpr NodeId kRoot = 0;
constexpr NodeId kNoNode = UINT32_MAX;
constexpr LevelId kNoLevel = UINT32_MAX;

struct Node {
  ValueList here;         // filters that end at this level
  ValueList rest;         // filters that go on with "#"
  NodeId plus = kNoNode;  // where "+" leads; next free node when this one is free
  uint32_t edges = 0;     // literal edges, which are in the edge table

  bool empty() const { return here.empty() && rest.empty() && plus == kNoNode && edges == 0; }
};

// Nodes by number, in chunks: growing moves nothing and wastes at most a chunk.
class Nodes {
 public:
  Nodes() { make(); }

  Node& operator[](NodeId id) { return (*chunks_[id / kChunk])[id % kChunk]; }
  const Node& operator[](NodeId id) const { return (*chunks_[id / kChunk])[id % kChunk]; }

  NodeId make() {
    if (free_ != kNoNode) {
      const NodeId id = free_;
      free_ = std::exchange((*this)[id].plus, kNoNode);
      return id;
    }
    if (used_ % kChunk == 0) chunks_.push_back(std::make_unique<Chunk>());
    return used_++;
  }

  void free(NodeId id) {
    (*this)[id].plus = free_;
    free_ = id;
  }

  std::size_t bytes() const { return chunks_.size() * sizeof(Chunk); }

 private:
  static constexpr std::size_t kChunk = 64;
  using Chunk = std::array<Node, kChunk>;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  NodeId used_ = 0;
  NodeId free_ = kNoNode;
};

// Level texts by number, each as long as an edge uses it.
class LevelTable {
 public:
  LevelId find(std::string_view text) const {
    const auto at = levels_.find(text);
    return at == levels_.end() ? kNoLevel : at->second.id;
  }

  LevelId take(std::string_view text) {
    auto at = levels_.find(text);
    if (at == levels_.end()) {
      at = levels_.emplace(std::string(text), Entry{next_id(), 0}).first;
      heap_ += heap_bytes(at->first);
    }
    ++at->second.uses;
    return at->second.id;
  }

  void drop(std::string_view text) {
    const auto at = levels_.find(text);
    if (--at->second.uses != 0) return;
    free_.push_back(at->second.id);
    heap_ -= heap_bytes(at->first);
    levels_.erase(at);
  }

  std::size_t bytes() const {
    return levels_.bucket_count() * (sizeof(std::pair<const std::string, Entry>) + 1) + heap_ +
           free_.capacity() * sizeof(LevelId);
  }

 private:
  struct Entry {
    LevelId id;
    uint32_t uses;
  };

  static std::size_t heap_bytes(const std::string& text) {
    return text.capacity() > 15 ? text.capacity() + 1 : 0;
  }

  LevelId next_id() {
    if (free_.empty()) return static_cast<LevelId>(levels_.size());
    const LevelId id = free_.back();
    free_.pop_back();
    return id;
  }

  boost::unordered_flat_map<std::string, Entry, StringHash, std::equal_to<>> levels_;
  std::vector<LevelId> free_;
  std::size_t heap_ = 0;
};

uint64_t edge_key(NodeId node, LevelId level) { return (uint64_t{node} << 32) | level; }

// One step of a filter's path, remembered on the way down for the way back up.
struct Step {
  NodeId node;
  std::string_view level;
};

}  // namespace

struct FilterTrie::State {
  NodeId child(NodeId node, std::string_view level) const {
    if (level == "+") return nodes[node].plus;
    const LevelId id = levels.find(level);
    return id == kNoLevel ? kNoNode : edge(node, id);
  }

  NodeId edge(NodeId node, LevelId level) const {
    const auto at = edges.find(edge_key(node, level));
    return at == edges.end() ? kNoNode : at->second;
  }

  NodeId make_child(NodeId node, std::string_view level) {
    const NodeId made = nodes.make();
    if (level == "+") {
      nodes[node].plus = made;
    } else {
      edges.emplace(edge_key(node, levels.take(level)), made);
      ++nodes[node].edges;
    }
    return made;
  }

  void cut_child(NodeId node, std::string_view level, NodeId child_id) {
    if (level == "+") {
      nodes[node].plus = kNoNode;
    } else {
      edges.erase(edge_key(node, levels.find(level)));
      levels.drop(level);
      --nodes[node].edges;
    }
    nodes.free(child_id);
  }

  // Gives `change` the list for the filter's end and accounts for what it did.
  template <typename Change>
  bool change_list(ValueList& list, Change change) {
    list_heap -= list.heap_bytes();
    const bool changed = change(list);
    list_heap += list.heap_bytes();
    return changed;
  }

  void prune(NodeId node) {
    while (!path.empty() && nodes[node].empty()) {
      const Step step = path.back();
      path.pop_back();
      cut_child(step.node, step.level, node);
      node = step.node;
    }
  }

  void give_back() {
    if (entries == 0) {
      nodes = Nodes();
      edges = {};
      levels = LevelTable();
    } else {
      shrink_if_sparse(edges);
    }
  }

  // Calls `visit` with each list of matching filters until it returns false.
  template <typename Visit>
  void visit_matches(std::string_view topic, Visit visit) const {
    if (entries == 0) return;
    // Filters that begin with a wildcard do not match topics that begin with '$' [MQTT-4.7.2-1].
    bool wildcard_allowed = !topic.starts_with('$');
    reached.assign(1, kRoot);
    Levels walk(topic);
    while (const auto level = walk.next()) {
      if (wildcard_allowed && !visit_rests(visit)) return;
      step_down(levels.find(*level), wildcard_allowed);
      if (reached.empty()) return;
      wildcard_allowed = true;
    }
    for (const NodeId id : reached) {
      const Node& node = nodes[id];
      // "a/#" matches "a" too.
      if (!node.here.empty() && !visit(node.here)) return;
      if (!node.rest.empty() && !visit(node.rest)) return;
    }
  }

  template <typename Visit>
  bool visit_rests(Visit& visit) const {
    for (const NodeId id : reached) {
      if (!nodes[id].rest.empty() && !visit(nodes[id].rest)) return false;
    }
    return true;
  }

  void step_down(LevelId level, bool wildcard_allowed) const {
    below.clear();
    for (const NodeId id : reached) {
      const Node& node = nodes[id];
      if (wildcard_allowed && node.plus != kNoNode) below.push_back(node.plus);
      if (level == kNoLevel || node.edges == 0) continue;
      const NodeId next = edge(id, level);
      if (next != kNoNode) below.push_back(next);
    }
    reached.swap(below);
  }

  Nodes nodes;
  boost::unordered_flat_map<uint64_t, NodeId> edges;
  LevelTable levels;
  std::size_t entries = 0;
  std::size_t list_heap = 0;
  std::vector<Step> path;               // scratch of remove
  mutable std::vector<NodeId> reached;  // scratch of a match: the nodes that the levels so far lead to
  mutable std::vector<NodeId> below;
};

FilterTrie::FilterTrie() : state_(std::make_unique<State>()) {}
FilterTrie::~FilterTrie() = default;

bool FilterTrie::add(std::string_view filter, Value value) {
  State& state = *state_;
  NodeId node = kRoot;
  bool ends_open = false;
  Levels walk(filter);
  while (const auto level = walk.next()) {
    if (*level == "#") {
      ends_open = true;
      break;
    }
    const NodeId next = state.child(node, *level);
    node = next == kNoNode ? state.make_child(node, *level) : next;
  }
  ValueList& list = ends_open ? state.nodes[node].rest : state.nodes[node].here;
  const bool added = state.change_list(list, [&](ValueList& values) { return values.add(value); });
  if (added) ++state.entries;
  return added;
}

ValueList* FilterTrie::find(std::string_view filter) {
  State& state = *state_;
  NodeId node = kRoot;
  bool ends_open = false;
  Levels walk(filter);
  while (const auto level = walk.next()) {
    if (*level == "#") {
      ends_open = true;
      break;
    }
    node = state.child(node, *level);
    if (node == kNoNode) return nullptr;
  }
  ValueList& list = ends_open ? state.nodes[node].rest : state.nodes[node].here;
  return list.empty() ? nullptr : &list;
}

bool FilterTrie::remove(std::string_view filter, Value value) {
  State& state = *state_;
  state.path.clear();
  NodeId node = kRoot;
  bool ends_open = false;
  Levels walk(filter);
  while (const auto level = walk.next()) {
    if (*level == "#") {
      ends_open = true;
      break;
    }
    const NodeId next = state.child(node, *level);
    if (next == kNoNode) return false;
    state.path.push_back({node, *level});
    node = next;
  }
  ValueList& list = ends_open ? state.nodes[node].rest : state.nodes[node].here;
  if (!state.change_list(list, [&](ValueList& values) { return values.remove(value); })) return false;
  --state.entries;
  state.prune(node);
  state.give_back();
  return true;
}

std::size_t FilterTrie::match(std::string_view topic, std::vector<Value>& out) const {
  std::size_t aside = 0;
  state_->visit_matches(topic, [&](const ValueList& list) {
    list.append_to(out);
    aside += list.aside();
    return true;
  });
  return aside;
}

bool FilterTrie::any(std::string_view topic) const {
  bool found = false;
  state_->visit_matches(topic, [&](const ValueList&) {
    found = true;
    return false;
  });
  return found;
}

std::size_t FilterTrie::bytes() const {
  return sizeof(State) + state_->nodes.bytes() + state_->edges.bucket_count() * 17 + state_->levels.bytes() +
         state_->list_heap;
}

}  // namespace arena::broker

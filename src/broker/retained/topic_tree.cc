#include "broker/retained/topic_tree.h"

#include <boost/unordered/unordered_flat_set.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/sparse.h"
#include "message/topic.h"

namespace arena::broker {
namespace {

using NodeId = uint32_t;
constexpr NodeId kRoot = 0;
constexpr NodeId kNone = UINT32_MAX;

struct Node {
  std::string level;
  MessageRef message;  // null where no topic ends
  NodeId parent = kNone;
  NodeId first_child = kNone;
  NodeId next = kNone;  // siblings; next free node when this one is free
  NodeId previous = kNone;
};

// An edge to look for, before there is a node.
struct EdgeKey {
  NodeId parent;
  std::string_view level;
};

// The edge table holds only node numbers; parent and level are in the node itself.
struct EdgeHash {
  using is_transparent = void;
  using is_avalanching = void;
  std::size_t operator()(const EdgeKey& key) const {
    return static_cast<std::size_t>(hash64(key.level, StringHash::seed ^ (key.parent * 0x9E3779B97F4A7C15u)));
  }
  std::size_t operator()(NodeId id) const { return (*this)(EdgeKey{(*nodes)[id].parent, (*nodes)[id].level}); }
  const std::vector<Node>* nodes;
};
struct EdgeEqual {
  using is_transparent = void;
  bool operator()(NodeId a, NodeId b) const { return a == b; }
  bool operator()(const EdgeKey& key, NodeId id) const {
    return (*nodes)[id].parent == key.parent && (*nodes)[id].level == key.level;
  }
  bool operator()(NodeId id, const EdgeKey& key) const { return (*this)(key, id); }
  const std::vector<Node>* nodes;
};

}  // namespace

struct TopicTree::State {
  State() : edges(0, EdgeHash{&nodes}, EdgeEqual{&nodes}) { nodes.emplace_back(); }

  NodeId child(NodeId parent, std::string_view level) const {
    const auto at = edges.find(EdgeKey{parent, level});
    return at == edges.end() ? kNone : *at;
  }

  NodeId make_child(NodeId parent, std::string_view level) {
    const NodeId id = take_node();
    Node& node = nodes[id];
    node.level = level;
    node.parent = parent;
    node.previous = kNone;
    node.next = std::exchange(nodes[parent].first_child, id);
    if (node.next != kNone) nodes[node.next].previous = id;
    edges.insert(id);
    return id;
  }

  NodeId take_node() {
    if (free == kNone) {
      nodes.emplace_back();
      return static_cast<NodeId>(nodes.size() - 1);
    }
    const NodeId id = free;
    free = nodes[id].next;
    return id;
  }

  void cut(NodeId id) {
    edges.erase(id);
    Node& node = nodes[id];
    (node.previous == kNone ? nodes[node.parent].first_child : nodes[node.previous].next) = node.next;
    if (node.next != kNone) nodes[node.next].previous = node.previous;
    node = Node{};
    node.next = std::exchange(free, id);
  }

  // The node where the topic ends, or kNone.
  NodeId find(std::string_view topic) const {
    NodeId node = kRoot;
    Levels walk(topic);
    while (const auto level = walk.next()) {
      node = child(node, *level);
      if (node == kNone) return kNone;
    }
    return node;
  }

  // Cuts what leads nowhere, upwards from a node that lost its message or its last child.
  void prune(NodeId node) {
    while (node != kRoot && !nodes[node].message && nodes[node].first_child == kNone) {
      const NodeId parent = nodes[node].parent;
      cut(node);
      node = parent;
    }
    shrink_if_sparse(edges);
  }

  // Next in pre-order inside the subtree of `top`, or kNone.
  NodeId after(NodeId node, NodeId top) const {
    if (nodes[node].first_child != kNone) return nodes[node].first_child;
    while (node != top && nodes[node].next == kNone) node = nodes[node].parent;
    return node == top ? kNone : nodes[node].next;
  }

  template <typename Visit>
  void visit_subtree(NodeId top, Visit& visit) const {
    for (NodeId node = top; node != kNone; node = after(node, top)) {
      if (nodes[node].message) visit(nodes[node].message);
    }
  }

  // Children of the root that a leading wildcard does not see [MQTT-4.7.2-1].
  bool hidden(NodeId node) const { return nodes[node].parent == kRoot && nodes[node].level.starts_with('$'); }

  template <typename Visit>
  void visit_matches(const std::vector<std::string_view>& levels, Visit& visit) const;

  std::vector<Node> nodes;
  boost::unordered_flat_set<NodeId, EdgeHash, EdgeEqual> edges;
  NodeId free = kNone;
  std::size_t size = 0;
  std::size_t bytes = 0;
};

// Depth first with an explicit stack. A step is a node that the first `depth` levels of the filter have led to;
// siblings reached by '+' are taken one at a time, so the stack stays as small as the filter is deep.
template <typename Visit>
void TopicTree::State::visit_matches(const std::vector<std::string_view>& levels, Visit& visit) const {
  struct Step {
    NodeId node;
    std::size_t depth;
  };
  std::vector<Step> stack{{kRoot, 0}};
  while (!stack.empty()) {
    const Step step = stack.back();
    stack.pop_back();
    if (step.node == kNone) continue;
    if (step.depth > 0 && levels[step.depth - 1] == "+") {
      stack.push_back({nodes[step.node].next, step.depth});
      if (hidden(step.node)) continue;
    }
    if (step.depth == levels.size()) {
      if (nodes[step.node].message) visit(nodes[step.node].message);
    } else if (levels[step.depth] == "+") {
      stack.push_back({nodes[step.node].first_child, step.depth + 1});
    } else if (levels[step.depth] != "#") {
      stack.push_back({child(step.node, levels[step.depth]), step.depth + 1});
    } else if (step.node != kRoot) {
      visit_subtree(step.node, visit);
    } else {
      for (NodeId top = nodes[kRoot].first_child; top != kNone; top = nodes[top].next) {
        if (!hidden(top)) visit_subtree(top, visit);
      }
    }
  }
}

TopicTree::TopicTree() : state_(std::make_unique<State>()) {}
TopicTree::~TopicTree() = default;

MessageRef TopicTree::set(MessageRef message) {
  NodeId node = kRoot;
  Levels walk(message->topic);
  while (const auto level = walk.next()) {
    const NodeId next = state_->child(node, *level);
    node = next == kNone ? state_->make_child(node, *level) : next;
  }
  state_->bytes += message->accounted_bytes();
  MessageRef before = std::exchange(state_->nodes[node].message, std::move(message));
  if (before) {
    state_->bytes -= before->accounted_bytes();
  } else {
    ++state_->size;
  }
  return before;
}

MessageRef TopicTree::erase(std::string_view topic) {
  const NodeId node = state_->find(topic);
  if (node == kNone || !state_->nodes[node].message) return nullptr;
  MessageRef before = std::exchange(state_->nodes[node].message, nullptr);
  state_->bytes -= before->accounted_bytes();
  --state_->size;
  state_->prune(node);
  return before;
}

MessageRef TopicTree::find(std::string_view topic) const {
  const NodeId node = state_->find(topic);
  return node == kNone ? nullptr : state_->nodes[node].message;
}

void TopicTree::match(std::string_view filter, UniqueFunction<void(const MessageRef&)> visit) const {
  std::vector<std::string_view> levels;
  Levels walk(filter);
  while (const auto level = walk.next()) levels.push_back(*level);
  state_->visit_matches(levels, visit);
}

std::size_t TopicTree::size() const { return state_->size; }
std::size_t TopicTree::bytes() const { return state_->bytes; }

}  // namespace arena::broker

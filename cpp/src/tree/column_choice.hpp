// Which columns a node may use: the mask of the tree, shares drawn for levels and nodes, interaction groups.
#pragma once
#include <cstdint>
#include <vector>

#include "mlcore/tree/grower.hpp"

namespace mlcore::tree {

class ColumnChoice {
 public:
  ColumnChoice(const GrowerSpec& spec, Index columns);

  /// mask null: all columns.
  void begin_tree(const std::uint8_t* mask, std::uint64_t seed);
  /// The interaction groups of a node's children: those of the node that have the column of its split.
  void pass_on(int node, int feature, int left, int right);
  /// The columns of a node, 1 or 0 each.
  void fill(std::vector<std::uint8_t>& columns, int node, Index depth);

 private:
  void thin(std::vector<std::uint8_t>& columns, double rate, Index item, Index part, bool up) const;

  const GrowerSpec& spec_;
  Index d_;
  const std::uint8_t* mask_ = nullptr;
  std::uint64_t seed_ = 0;
  std::vector<std::vector<std::uint8_t>> levels_;
  std::vector<std::uint8_t> alive_;  // a node: which groups may still be used
};

}  // namespace mlcore::tree

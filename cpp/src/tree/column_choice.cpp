#include "tree/column_choice.hpp"

#include <algorithm>
#include <cmath>

#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/random.hpp"

namespace mlcore::tree {

using runtime::random::Purpose;
using runtime::random::Stream;

ColumnChoice::ColumnChoice(const GrowerSpec& spec, Index columns) : spec_(spec), d_(columns) {
  for (const auto& group : spec.interaction)
    for (const Index j : group) require(j >= 0 && j < columns, "interaction_cst: column out of range");
}

void ColumnChoice::begin_tree(const std::uint8_t* mask, std::uint64_t seed) {
  mask_ = mask;
  seed_ = seed;
  levels_.clear();
  alive_.assign(spec_.interaction.size(), 1);
}

void ColumnChoice::pass_on(int node, int feature, int left, int right) {
  const std::size_t groups = spec_.interaction.size();
  if (groups == 0) return;
  alive_.resize((static_cast<std::size_t>(std::max(left, right)) + 1) * groups, 0);
  for (std::size_t k = 0; k < groups; ++k) {
    const auto& group = spec_.interaction[k];
    const bool has = std::find(group.begin(), group.end(), static_cast<Index>(feature)) != group.end();
    const std::uint8_t alive = has ? alive_[static_cast<std::size_t>(node) * groups + k] : 0;
    for (const int child : {left, right}) alive_[static_cast<std::size_t>(child) * groups + k] = alive;
  }
}

void ColumnChoice::thin(std::vector<std::uint8_t>& columns, double rate, Index item, Index part, bool up) const {
  std::vector<Index> open;
  for (Index j = 0; j < d_; ++j)
    if (columns[static_cast<std::size_t>(j)] != 0) open.push_back(j);
  const auto size = static_cast<Index>(open.size());
  if (size == 0) return;
  const double share = rate * static_cast<double>(size);
  const Index keep =
      std::clamp<Index>(static_cast<Index>(up ? std::ceil(share - 1e-9) : std::floor(share + 0.5)), 1, size);
  Stream stream(seed_, Purpose::kSubsample, item, part);
  const Buffer<Index> kept = runtime::random::sample_without_replacement(stream, size, keep);
  std::fill(columns.begin(), columns.end(), std::uint8_t{0});
  for (Index k = 0; k < keep; ++k) columns[static_cast<std::size_t>(open[static_cast<std::size_t>(kept[k])])] = 1;
}

void ColumnChoice::fill(std::vector<std::uint8_t>& columns, int node, Index depth) {
  if (mask_ == nullptr && spec_.interaction.empty() && spec_.colsample_bylevel >= 1.0 && spec_.colsample_bynode >= 1.0)
    return;
  if (spec_.colsample_bylevel < 1.0) {
    while (static_cast<Index>(levels_.size()) <= depth) {
      std::vector<std::uint8_t> level(static_cast<std::size_t>(d_), 1);
      if (mask_ != nullptr) std::copy_n(mask_, d_, level.begin());
      thin(level, spec_.colsample_bylevel, static_cast<Index>(levels_.size()), 1, false);
      levels_.push_back(std::move(level));
    }
    columns = levels_[static_cast<std::size_t>(depth)];
  } else if (mask_ != nullptr) {
    std::copy_n(mask_, d_, columns.begin());
  } else {
    std::fill(columns.begin(), columns.end(), std::uint8_t{1});
  }
  const std::size_t groups = spec_.interaction.size();
  if (groups > 0) {
    std::vector<std::uint8_t> open(static_cast<std::size_t>(d_), 0);
    for (std::size_t k = 0; k < groups; ++k)
      if (alive_[static_cast<std::size_t>(node) * groups + k] != 0)
        for (const Index j : spec_.interaction[k]) open[static_cast<std::size_t>(j)] = 1;
    for (std::size_t j = 0; j < open.size(); ++j) columns[j] = columns[j] & open[j];
  }
  if (spec_.colsample_bynode < 1.0) thin(columns, spec_.colsample_bynode, node, 2, true);
}

}  // namespace mlcore::tree

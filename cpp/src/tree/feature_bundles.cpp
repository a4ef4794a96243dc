#include "tree/feature_bundles.hpp"

#include <algorithm>
#include <numeric>

namespace mlcore::tree {

namespace {

constexpr int kMostCodes = 255;     // code 0 says that no column is present
constexpr int kMostTries = 100;     // groups that a column is held against
constexpr std::size_t kOpen = 512;  // groups that remember their rows

struct Bundle {
  std::vector<Index> columns;
  std::vector<std::uint64_t> taken;  // a bit a row
  std::size_t rows = 0;
  int codes = 0;

  bool takes(const PresentRows& column, Index n) const noexcept {
    return rows + column.rows.size() <= static_cast<std::size_t>(n) &&
           std::none_of(column.rows.begin(), column.rows.end(),
                        [this](std::uint32_t row) { return ((taken[row >> 6] >> (row & 63)) & 1) != 0; });
  }
  void add(Index j, const PresentRows& column) {
    columns.push_back(j);
    codes += column.codes;
    rows += column.rows.size();
    for (const std::uint32_t row : column.rows) taken[row >> 6] |= std::uint64_t{1} << (row & 63);
  }
};

}  // namespace

std::vector<std::vector<Index>> find_bundles(const std::vector<PresentRows>& columns, Index n) {
  std::vector<std::size_t> order(columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return columns[a].rows.size() > columns[b].rows.size(); });
  std::vector<Bundle> bundles;
  std::vector<std::vector<Index>> groups;
  for (const std::size_t j : order) {
    const PresentRows& column = columns[j];
    if (2 * column.rows.size() > static_cast<std::size_t>(n) || column.codes > kMostCodes - 1) {
      groups.push_back({static_cast<Index>(j)});
      continue;
    }
    int tries = 0;
    const auto suits = [&](const Bundle& bundle) {
      return bundle.codes + column.codes <= kMostCodes && tries++ < kMostTries && bundle.takes(column, n);
    };
    auto place = std::find_if(bundles.begin(), bundles.end(), suits);
    if (place == bundles.end()) {
      if (bundles.size() >= kOpen) {
        groups.push_back({static_cast<Index>(j)});
        continue;
      }
      bundles.emplace_back();
      place = bundles.end() - 1;
      place->taken.assign(static_cast<std::size_t>(n) / 64 + 1, 0);
    }
    place->add(static_cast<Index>(j), column);
  }
  for (Bundle& bundle : bundles) {
    std::sort(bundle.columns.begin(), bundle.columns.end());
    groups.push_back(std::move(bundle.columns));
  }
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.front() < b.front(); });
  return groups;
}

}  // namespace mlcore::tree

// Kernel rows of one dual problem, made on demand in batches and kept within a budget of bytes.
#pragma once
#include <algorithm>
#include <atomic>
#include <vector>

#include "mlcore/runtime/interrupt.hpp"
#include "svm/dual.hpp"

namespace mlcore::svm {

/// Throws Interrupted when the user or another thread of the fit wants to stop.
void poll(runtime::Interrupt& interrupt, std::atomic<bool>* stop);

inline constexpr Index kGroupsPerBlock = 16;

/// One block of work of a phase over the groups of a problem: groups [first, first + count) of the rows, from column
/// `column` of the problem on.
struct GroupBlock {
  Index first = 0;
  Index count = 0;
  Index column = 0;
};

/// Cuts up to two runs of groups into blocks, by their sizes only.
inline std::vector<GroupBlock> cut_groups(const Index (&first)[2], const Index (&groups)[2], Index width) {
  std::vector<GroupBlock> blocks;
  Index column = 0;
  for (int run = 0; run < 2; ++run)
    for (Index g = 0; g < groups[run]; g += kGroupsPerBlock) {
      const Index count = std::min(kGroupsPerBlock, groups[run] - g);
      blocks.push_back({first[run] + g, count, column});
      column += count * width;
    }
  return blocks;
}

/// sum[column] += sum over w of weights[w] K(slots[w] of `from`, column of `rows`), in the order of w.
template <class T>
void add_kernel_products(const KernelRows<T>& from, const KernelRows<T>& rows, const Index* slots,
                         const double* weights, Index count, const Index (&first)[2], const Index (&groups)[2],
                         double* sum, SmoWorkspace<T>& workspace, runtime::Team& team) {
  constexpr Index kChunk = 96;  // rows of K that are alive at a time: 96 x 512 values stay in the L2 cache
  const std::vector<GroupBlock> blocks = cut_groups(first, groups, rows.width());
  const Index stride = kGroupsPerBlock * rows.width();
  std::vector<KernelScratch<T>> scratch(static_cast<std::size_t>(team.size()));
  for (Index begin = 0; begin < count; begin += kChunk) {
    const Index here = std::min(kChunk, count - begin);
    from.pack(slots + begin, here, workspace.panel);
    team.for_each(static_cast<Index>(blocks.size()), [&](Index b) {
      const GroupBlock& block = blocks[static_cast<std::size_t>(b)];
      Buffer<T> values(here * stride);
      std::vector<T*> out(static_cast<std::size_t>(here));
      for (Index w = 0; w < here; ++w) out[static_cast<std::size_t>(w)] = values.data() + w * stride;
      rows.compute(workspace.panel, block.first, block.count, out.data(),
                   team.size() == 1 ? workspace.scratch : scratch[static_cast<std::size_t>(team.member())]);
      rows.kernels().accumulate(here, out.data(), weights + begin, block.count * rows.width(), sum + block.column);
    });
  }
}

/// The blocked solver, from beta and f of the problem; see dual_blocked.cpp.
template <class T>
void solve_blocked(const DualProblem<T>& problem, const SmoSettings& settings, SmoWorkspace<T>& workspace,
                   runtime::Team& team, SmoReport& report);

template <class T>
class RowStore {
 public:
  RowStore(const DualProblem<T>& problem, double budget, SmoWorkspace<T>& workspace)
      : problem_(problem), workspace_(workspace), pointers_(static_cast<std::size_t>(problem.variables()), nullptr) {
    const Index positions = problem.positions();
    const double wanted = budget / (static_cast<double>(positions) * sizeof(T));
    capacity_ = std::clamp(static_cast<Index>(std::min(wanted, 1e9)), kSmallest, std::max(positions, kSmallest));
    storage_ = workspace.storage(checked_product({capacity_, positions}));
    owner_.assign(static_cast<std::size_t>(capacity_), -1);
    blocks_ = cut_groups(problem.first_group, problem.groups, problem.rows->width());
  }

  /// True when rows are never thrown out.
  bool keeps_all() const noexcept { return capacity_ >= problem_.positions(); }

  /// Row by variable; null where it is not there.
  const T* const* rows() const noexcept { return pointers_.data(); }

  /// Makes the row of a position, and with it, at no extra cost, those of the variables that violate most.
  void fetch(Index position, const SmoState<T>& state, runtime::Team& team) {
    const Index batch = problem_.rows->kernels().tile_rows;
    wanted_.assign(1, position);
    add_violators(state, batch);
    const auto count = static_cast<Index>(wanted_.size());
    std::vector<Index> slots;
    std::vector<T*> out;
    for (const Index p : wanted_) {
      slots.push_back(problem_.slot(p));
      out.push_back(take_place(p));
    }
    problem_.rows->pack(slots.data(), count, workspace_.panel);
    const double work = static_cast<double>(count * problem_.positions()) * problem_.rows->value_ns();
    const bool alone = team.size() == 1 || runtime::threads_for_work(team.size(), work) == 1;
    if (alone) {
      for (const GroupBlock& block : blocks_) compute(block, out, workspace_.scratch);
    } else {
      scratch_.resize(static_cast<std::size_t>(team.size()));
      team.for_each(static_cast<Index>(blocks_.size()), [&](Index b) {
        compute(blocks_[static_cast<std::size_t>(b)], out, scratch_[static_cast<std::size_t>(team.member())]);
      });
    }
  }

 private:
  static constexpr Index kSmallest = 64;

  void compute(const GroupBlock& block, const std::vector<T*>& rows, KernelScratch<T>& scratch) const {
    T* out[kMaxTileRows];
    for (std::size_t w = 0; w < rows.size(); ++w) out[w] = rows[w] + block.column;
    problem_.rows->compute(workspace_.panel, block.first, block.count, out, scratch);
  }

  /// Adds the positions of largest violation that have no row, up to `batch` in all.
  void add_violators(const SmoState<T>& state, Index batch) {
    double smallest = std::numeric_limits<double>::infinity(), largest = -smallest;
    const Index variables = problem_.variables(), positions = problem_.positions();
    for (Index v = 0; v < variables; ++v) {
      smallest = std::min(smallest, state.f[v] + state.penalty_up[v]);
      largest = std::max(largest, state.f[v] + state.penalty_low[v]);
    }
    best_.clear();
    for (Index v = 0; v < variables; ++v) {
      if (pointers_[static_cast<std::size_t>(v)] != nullptr || v % positions == wanted_[0]) continue;
      const double violation =
          std::max(largest - (state.f[v] + state.penalty_up[v]), (state.f[v] + state.penalty_low[v]) - smallest);
      if (!(violation > 0.0)) continue;
      const auto size = static_cast<Index>(best_.size());
      if (size == batch - 1 && violation <= best_.back().first) continue;
      if (size == batch - 1) best_.pop_back();
      const std::pair<double, Index> candidate{violation, v % positions};
      best_.insert(std::upper_bound(best_.begin(), best_.end(), candidate,
                                    [](const auto& a, const auto& b) { return a.first > b.first; }),
                   candidate);
    }
    for (const auto& [violation, position] : best_)
      if (std::find(wanted_.begin(), wanted_.end(), position) == wanted_.end()) wanted_.push_back(position);
  }

  /// Storage for the row of a position; the oldest row makes room.
  T* take_place(Index position) {
    const Index place = next_;
    next_ = next_ + 1 == capacity_ ? 0 : next_ + 1;
    if (owner_[static_cast<std::size_t>(place)] >= 0) point(owner_[static_cast<std::size_t>(place)], nullptr);
    owner_[static_cast<std::size_t>(place)] = position;
    T* row = storage_ + place * problem_.positions();
    point(position, row);
    return row;
  }
  void point(Index position, const T* row) noexcept {
    for (Index side = 0; side < problem_.sides; ++side)
      pointers_[static_cast<std::size_t>(side * problem_.positions() + position)] = row;
  }

  const DualProblem<T>& problem_;
  SmoWorkspace<T>& workspace_;
  std::vector<const T*> pointers_;
  Index capacity_ = 0;
  Index next_ = 0;
  T* storage_ = nullptr;
  std::vector<Index> owner_;  ///< position whose row lies in a place, or -1
  std::vector<GroupBlock> blocks_;
  std::vector<Index> wanted_;
  std::vector<std::pair<double, Index>> best_;
  std::vector<KernelScratch<T>> scratch_;
};

}  // namespace mlcore::svm

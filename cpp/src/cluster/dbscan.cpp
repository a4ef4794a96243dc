// Driver of DBSCAN on rows. See the header for the method.
#include "mlcore/cluster/dbscan.hpp"

#include <algorithm>
#include <vector>

#include "cluster/dbscan_components.hpp"
#include "cluster/dbscan_core.hpp"
#include "cluster/dbscan_labels.hpp"
#include "mlcore/base/errors.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::cluster {

using namespace dbscan;

namespace {

using neighbors::KdTree;
using neighbors::kLeaf;

constexpr double kNsPerRow = 50.0, kNsPerRowAndColumn = 5.0;

int threads_for(Index rows, Index columns, int n_jobs) noexcept {
  const double work = static_cast<double>(rows) * (kNsPerRow + kNsPerRowAndColumn * static_cast<double>(columns));
  return runtime::threads_for_work(runtime::resolve_threads(n_jobs).threads, work);
}

// Numbers the components by their lowest row; labels by place.
Buffer<std::int32_t> label_core(const KdTree& tree, const std::uint32_t* core, Components& components) {
  const Index places = tree.leaves * kLeaf;
  Buffer<std::int32_t> root_of_row({tree.n}), number({places}), labels({places});
  for (Index i = 0; i < tree.n; ++i) root_of_row[i] = -1;
  for (Index place = 0; place < places; ++place) {
    number[place] = labels[place] = kNoLabel;
    if ((core[place / kLeaf] >> (place % kLeaf) & 1u) != 0) root_of_row[tree.row_of[place]] = components.find(place);
  }
  std::int32_t clusters = 0;
  for (Index i = 0; i < tree.n; ++i)
    if (root_of_row[i] >= 0 && number[root_of_row[i]] == kNoLabel) number[root_of_row[i]] = clusters++;
  for (Index place = 0; place < places; ++place)
    if (const std::int32_t row = tree.row_of[place]; row >= 0 && root_of_row[row] >= 0)
      labels[place] = number[root_of_row[row]];
  return labels;
}

}  // namespace

template <class T>
DbscanResult dbscan_fit(const MatrixView<const T>& x, VectorView<const double> weights, const DbscanSpec& spec) {
  require(weights.empty() || weights.size == x.rows, "sample weights must have one value per row");
  const KdTree tree = neighbors::build_kd_tree(x, spec.n_jobs);
  const Search search(tree, spec);
  runtime::Interrupt interrupt;
  DbscanResult result;
  result.labels = Buffer<Index>({x.rows});
  Index core_rows = 0;
  Buffer<std::uint32_t> core;
  runtime::parallel_team(threads_for(x.rows, x.cols, spec.n_jobs), [&](runtime::Team& team) {
    core = core_slots(search, weights, spec.min_samples, team, interrupt);
    Components components(search, core.data());
    components.connect(team, interrupt);
    const Buffer<std::int32_t> by_place = label_core(tree, core.data(), components);
    const LowestLabel lowest(search, by_place.data());
    team.for_each(ceil_div(tree.leaves, kLeavesPerTask), [&](Index task) {
      Buffer<double> box({2, tree.d});
      LowestLabel::Question question;
      question.box = box.data();
      const Index last = std::min(tree.leaves, (task + 1) * kLeavesPerTask);
      for (Index leaf = task * kLeavesPerTask; leaf < last; ++leaf) {
        if (team.is_leader()) interrupt.poll();
        question.queries = tree.block(leaf);
        question.asking = tree.slots(leaf) & ~core[leaf];
        if (question.asking != 0) lowest.answer(question);
        for (std::uint32_t left = tree.slots(leaf); left != 0; left &= left - 1) {
          const Index s = __builtin_ctz(left), place = leaf * kLeaf + s;
          const bool is_core = (core[leaf] >> s & 1u) != 0;
          const std::int32_t label = is_core ? by_place[place] : question.best[static_cast<std::size_t>(s)];
          result.labels[tree.row_of[place]] = label == kNoLabel ? -1 : label;
        }
      }
    });
  });
  Buffer<bool> is_core = Buffer<bool>::zeros({x.rows});
  for (Index leaf = 0; leaf < tree.leaves; ++leaf)
    for (std::uint32_t left = core[leaf]; left != 0; left &= left - 1, ++core_rows)
      is_core[tree.row_of[leaf * kLeaf + __builtin_ctz(left)]] = true;
  result.core = Buffer<Index>({core_rows});
  for (Index i = 0, next = 0; i < x.rows; ++i)
    if (is_core[i]) result.core[next++] = i;
  return result;
}

template <class T>
Buffer<Index> dbscan_predict(const MatrixView<const T>& core, VectorView<const Index> core_labels,
                             const MatrixView<const T>& x, const DbscanSpec& spec) {
  require(core.rows == core_labels.size, "one label per core row");
  require(core.cols == x.cols, "X must have as many columns as the core rows");
  const KdTree tree = neighbors::build_kd_tree(core, spec.n_jobs), asking = neighbors::build_kd_tree(x, spec.n_jobs);
  const Search search(tree, spec);
  Buffer<std::int32_t> by_place({tree.leaves, kLeaf});
  for (Index place = 0; place < tree.leaves * kLeaf; ++place) {
    const std::int32_t row = tree.row_of[place];
    by_place[place] = row < 0 ? kNoLabel : static_cast<std::int32_t>(core_labels[row]);
  }
  const LowestLabel lowest(search, by_place.data());
  Buffer<Index> labels({x.rows});
  runtime::Interrupt interrupt;
  runtime::parallel_team(threads_for(x.rows, x.cols, spec.n_jobs), [&](runtime::Team& team) {
    team.for_each(ceil_div(asking.leaves, kLeavesPerTask), [&](Index task) {
      Buffer<double> box({2, tree.d});
      LowestLabel::Question question;
      question.box = box.data();
      const Index last = std::min(asking.leaves, (task + 1) * kLeavesPerTask);
      for (Index leaf = task * kLeavesPerTask; leaf < last; ++leaf) {
        if (team.is_leader()) interrupt.poll();
        question.queries = asking.block(leaf);
        question.asking = asking.slots(leaf);
        lowest.answer(question);
        for (std::uint32_t left = question.asking; left != 0; left &= left - 1) {
          const int s = __builtin_ctz(left);
          const std::int32_t label = question.best[static_cast<std::size_t>(s)];
          labels[asking.row_of[leaf * kLeaf + s]] = label == kNoLabel ? -1 : label;
        }
      }
    });
  });
  return labels;
}

#define MLCORE_INSTANTIATE(T)                                                                                \
  template DbscanResult dbscan_fit(const MatrixView<const T>&, VectorView<const double>, const DbscanSpec&); \
  template Buffer<Index> dbscan_predict(const MatrixView<const T>&, VectorView<const Index>,                 \
                                        const MatrixView<const T>&, const DbscanSpec&);
MLCORE_INSTANTIATE(float)
MLCORE_INSTANTIATE(double)

}  // namespace mlcore::cluster

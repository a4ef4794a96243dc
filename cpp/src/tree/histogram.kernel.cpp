// Histograms of gradient pairs and the movement of rows between nodes.
//
// A bin update is one load of a bin, one addition to memory. Rows are taken whole: neighbouring additions go to
// different columns, so that a column with few bins does not wait for its own last addition.
#include <cstring>
#include <utility>

#if MLCORE_ISA_LEVEL == 4
#include <immintrin.h>
#endif

#include "mlcore/num/simd.hpp"
#include "tree/histogram.kernels.hpp"
#include "tree/split_scan.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {
namespace {

using tree::GradientBounds;
using tree::kPackedStride;
using tree::Marks;
using tree::PairLayout;
using tree::Quantiser;
using tree::RecordView;
using tree::Route;
using tree::Sums;

constexpr Index kAhead = 16;  // rows between a prefetch and its use
#if MLCORE_ISA_LEVEL < 4
constexpr Index kChunk = 1024;  // rows that a partition sorts in the first-level cache
#endif

GradientBounds bounds(const float* g, const float* h, Index n) noexcept {
  constexpr int kParts = 16;
  double gs[kParts] = {}, hs[kParts] = {};
  float gm[kParts] = {}, hm[kParts] = {};
  Index i = 0;
  for (; i + kParts <= n; i += kParts)
    for (int j = 0; j < kParts; ++j) {
      const float a = __builtin_fabsf(g[i + j]);
      gs[j] += static_cast<double>(a);
      gm[j] = gm[j] < a ? a : gm[j];
      if (h != nullptr) {
        const float b = h[i + j] > 0.0f ? h[i + j] : h[i + j] - h[i + j];  // NaN and infinities show
        hs[j] += static_cast<double>(b);
        hm[j] = hm[j] < b ? b : hm[j];
      }
    }
  for (; i < n; ++i) {
    const float a = __builtin_fabsf(g[i]);
    gs[0] += static_cast<double>(a);
    gm[0] = gm[0] < a ? a : gm[0];
    if (h != nullptr) {
      const float b = h[i] > 0.0f ? h[i] : h[i] - h[i];
      hs[0] += static_cast<double>(b);
      hm[0] = hm[0] < b ? b : hm[0];
    }
  }
  GradientBounds result;
  for (int j = 0; j < kParts; ++j) {
    result.gradient_sum += gs[j];
    result.hessian_sum += hs[j];
    const auto a = static_cast<double>(gm[j]), b = static_cast<double>(hm[j]);
    result.gradient_max = result.gradient_max < a ? a : result.gradient_max;
    result.hessian_max = result.hessian_max < b ? b : result.hessian_max;
  }
  return result;
}

template <bool kRandom, bool kHessian>
void quantise_rows(const float* __restrict g, const float* __restrict h, const std::uint16_t* __restrict random,
                   Index n, const Quantiser& quantiser, std::uint64_t* __restrict pairs) noexcept {
  const float gs = static_cast<float>(quantiser.gradient_scale), hs = static_cast<float>(quantiser.hessian_scale);
  const int shift = quantiser.layout.gradient_shift;
  const auto one = static_cast<std::int64_t>(std::uint64_t{1} << quantiser.layout.count_shift);
  for (Index i = 0; i < n; ++i) {
    const float rg = kRandom ? static_cast<float>(random[2 * i]) * 0x1p-16f : 0.5f;
    std::int64_t pair = static_cast<std::int64_t>(static_cast<std::int32_t>(__builtin_floorf(g[i] * gs + rg)));
    pair = static_cast<std::int64_t>(static_cast<std::uint64_t>(pair) << shift) + one;
    if (kHessian) {
      const float rh = kRandom ? static_cast<float>(random[2 * i + 1]) * 0x1p-16f : 0.5f;
      const float hessian = h[i] > 0.0f ? h[i] : 0.0f;
      pair += static_cast<std::int64_t>(static_cast<std::int32_t>(hessian * hs + rh));
    }
    pairs[i] = static_cast<std::uint64_t>(pair);
  }
}

void quantise(const float* g, const float* h, const std::uint16_t* random, Index n, const Quantiser& quantiser,
              std::uint64_t* pairs) noexcept {
  if (h != nullptr)
    random != nullptr ? quantise_rows<true, true>(g, h, random, n, quantiser, pairs)
                      : quantise_rows<false, true>(g, h, random, n, quantiser, pairs);
  else
    random != nullptr ? quantise_rows<true, false>(g, h, random, n, quantiser, pairs)
                      : quantise_rows<false, false>(g, h, random, n, quantiser, pairs);
}

template <bool kIndexed, int kColumns>
void accumulate_rows(const RecordView& block, const std::uint32_t* rows, Index first, Index count,
                     const std::uint64_t* pairs, std::uint64_t* packed) noexcept {
  const Index width = block.width;
  const std::uint8_t* records = block.records;
  const auto visit = [&](Index row) __attribute__((always_inline)) {
    const std::uint8_t* bins = records + row * width;
    const std::uint64_t pair = pairs[row];
#pragma GCC unroll 64
    for (int c = 0; c < kColumns; ++c) packed[c * kPackedStride + bins[c]] += pair;
  };
  Index i = 0;
  if constexpr (kIndexed) {
    for (; i + kAhead < count; ++i) {
      const Index later = static_cast<Index>(rows[i + kAhead]);
      __builtin_prefetch(records + later * width);
      if constexpr (kColumns > 32) __builtin_prefetch(records + later * width + kColumns - 1);
      __builtin_prefetch(pairs + later);
      visit(static_cast<Index>(rows[i]));
    }
  }
  for (; i < count; ++i) visit(kIndexed ? static_cast<Index>(rows[i]) : first + i);
}

// One body for each number of columns: the whole row is straight code.
using Accumulate = void (*)(const RecordView&, const std::uint32_t*, Index, Index, const std::uint64_t*,
                            std::uint64_t*) noexcept;
template <bool kIndexed, int... C>
MLCORE_INLINE Accumulate body_for(Index columns, std::integer_sequence<int, C...>) noexcept {
  static constexpr Accumulate kBodies[] = {accumulate_rows<kIndexed, C + 1>...};
  return kBodies[columns - 1];
}

void accumulate(const RecordView& block, const std::uint32_t* rows, Index first, Index count,
                const std::uint64_t* pairs, std::uint64_t* packed) noexcept {
  constexpr auto counts = std::make_integer_sequence<int, static_cast<int>(tree::kBlockColumns)>{};
  const Accumulate body =
      rows != nullptr ? body_for<true>(block.columns, counts) : body_for<false>(block.columns, counts);
  body(block, rows, first, count, pairs, packed);
}

template <bool kAdd>
void spill_cells(std::uint64_t* __restrict packed, Index cells, const PairLayout& layout,
                 std::int64_t* __restrict gradient, std::int64_t* __restrict hessian,
                 std::int32_t* __restrict count) noexcept {
  const int gs = layout.gradient_shift, cs = layout.count_shift;
  const std::uint64_t mask = (std::uint64_t{1} << layout.gradient_shift) - 1;
  const std::uint64_t field = (std::uint64_t{1} << layout.gradient_bits) - 1;
  const std::uint64_t sign = std::uint64_t{1} << (layout.gradient_bits - 1);
  const bool constant = gs == 0;
  for (Index c = 0; c < cells; ++c) {
    const std::uint64_t cell = packed[c];
    packed[c] = 0;
    const std::uint64_t h = cell & mask;
    const std::uint64_t g = (((cell >> gs) & field) ^ sign) - sign;
    const std::uint64_t k = (cell - h - (g << gs)) >> cs;
    const auto hq = static_cast<std::int64_t>(constant ? k : h);
    gradient[c] = static_cast<std::int64_t>(g) + (kAdd ? gradient[c] : 0);
    hessian[c] = hq + (kAdd ? hessian[c] : 0);
    count[c] = static_cast<std::int32_t>(k) + (kAdd ? count[c] : 0);
  }
}

void spill(std::uint64_t* packed, Index cells, const PairLayout& layout, bool add, const Sums& sums) noexcept {
  if (add)
    spill_cells<true>(packed, cells, layout, sums.gradient, sums.hessian, sums.count);
  else
    spill_cells<false>(packed, cells, layout, sums.gradient, sums.hessian, sums.count);
}

void add(const Sums& from, Index cells, const Sums& to) noexcept {
  for (Index c = 0; c < cells; ++c) to.gradient[c] += from.gradient[c];
  for (Index c = 0; c < cells; ++c) to.hessian[c] += from.hessian[c];
  for (Index c = 0; c < cells; ++c) to.count[c] += from.count[c];
}

void subtract(const Sums& from, Index cells, const Sums& to) noexcept {
  for (Index c = 0; c < cells; ++c) to.gradient[c] -= from.gradient[c];
  for (Index c = 0; c < cells; ++c) to.hessian[c] -= from.hessian[c];
  for (Index c = 0; c < cells; ++c) to.count[c] -= from.count[c];
}

#if MLCORE_ISA_LEVEL == 4
constexpr int kRouteLanes = 16;

MLCORE_INLINE __mmask16 first_lanes(Index n) noexcept {
  return static_cast<__mmask16>(n >= kRouteLanes ? 0xffffu : (1u << n) - 1u);
}
MLCORE_INLINE __m512i row_numbers(const std::uint32_t* rows, Index first, Index i, __mmask16 some) noexcept {
  if (rows != nullptr) return _mm512_maskz_loadu_epi32(some, rows + i);
  const __m512i steps = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_maskz_add_epi32(some, _mm512_set1_epi32(static_cast<int>(first + i)), steps);
}
// Bit l: row l of 16 goes left.
MLCORE_INLINE __mmask16 route_rows(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index i,
                                   __m512i row, const Route& route) noexcept {
  __m512i bins;
  if (rows != nullptr)
    bins = _mm512_and_si512(_mm512_i32gather_epi32(row, column, 1), _mm512_set1_epi32(255));
  else
    bins = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(column + first + i)));
  if (!route.simple) {
    const __m512i flags = _mm512_i32gather_epi32(bins, route.goes_left, 1);
    return _mm512_test_epi32_mask(flags, _mm512_set1_epi32(255));
  }
  __mmask16 left = _mm512_cmple_epi32_mask(bins, _mm512_set1_epi32(route.last_left));
  if (route.missing_left) left |= _mm512_cmpeq_epi32_mask(bins, _mm512_set1_epi32(route.missing));
  return route.flipped ? static_cast<__mmask16>(~left) : left;
}
// Rows by their marks to the two sides. Compressed in the register and stored under a mask: compressing stores are slow
// on some CPUs.
MLCORE_INLINE Index deal_rows(__m512i row, __mmask16 go, __mmask16 some, std::uint32_t* left,
                              std::uint32_t* right) noexcept {
  const __mmask16 stay = static_cast<__mmask16>(~go & some);
  const int lefts = __builtin_popcount(go), rights = __builtin_popcount(stay);
  _mm512_mask_storeu_epi32(left, first_lanes(lefts), _mm512_maskz_compress_epi32(go, row));
  _mm512_mask_storeu_epi32(right, first_lanes(rights), _mm512_maskz_compress_epi32(stay, row));
  return lefts;
}

Index partition(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index count, const Route& route,
                std::uint32_t* left, std::uint32_t* right) noexcept {
  Index l = 0;
  for (Index i = 0; i < count; i += kRouteLanes) {
    const __mmask16 some = first_lanes(count - i);
    const __m512i row = row_numbers(rows, first, i, some);
    const __mmask16 go = route_rows(column, rows, first, i, row, route) & some;
    l += deal_rows(row, go, some, left + l, right + (i - l));
  }
  return l;
}

Index mark(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index count, const Route& route,
           Marks* marks) noexcept {
  Index lefts = 0;
  for (Index i = 0; i < count; i += kRouteLanes) {
    const __mmask16 some = first_lanes(count - i);
    const __mmask16 go = route_rows(column, rows, first, i, row_numbers(rows, first, i, some), route) & some;
    marks[i / kRouteLanes] = go;
    lefts += __builtin_popcount(go);
  }
  return lefts;
}

void partition_marked(const std::uint32_t* rows, Index first, Index count, const Marks* marks, std::uint32_t* left,
                      std::uint32_t* right) noexcept {
  Index l = 0;
  for (Index i = 0; i < count; i += kRouteLanes) {
    const __mmask16 some = first_lanes(count - i);
    l += deal_rows(row_numbers(rows, first, i, some), marks[i / kRouteLanes], some, left + l, right + (i - l));
  }
}
#else
// Sorts rows by 1 (left) or 0 of goes(i) in pieces that stay in the first-level cache.
template <class Goes>
MLCORE_INLINE Index deal_rows(const std::uint32_t* rows, Index first, Index count, std::uint32_t* left,
                              std::uint32_t* right, const Goes& goes) noexcept {
  std::uint32_t lefts[kChunk + 1], rights[kChunk + 1];
  Index left_rows = 0, right_rows = 0;
  for (Index start = 0; start < count; start += kChunk) {
    const Index size = count - start < kChunk ? count - start : kChunk;
    Index l = 0, r = 0;
    for (Index i = 0; i < size; ++i) {
      const std::uint32_t row = rows != nullptr ? rows[start + i] : static_cast<std::uint32_t>(first + start + i);
      const Index go = goes(start + i, row);
      lefts[l] = row;
      rights[r] = row;
      l += go;
      r += 1 - go;
    }
    std::memcpy(left + left_rows, lefts, static_cast<std::size_t>(l) * sizeof(std::uint32_t));
    std::memcpy(right + right_rows, rights, static_cast<std::size_t>(r) * sizeof(std::uint32_t));
    left_rows += l;
    right_rows += r;
  }
  return left_rows;
}

Index partition(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index count, const Route& route,
                std::uint32_t* left, std::uint32_t* right) noexcept {
  const auto goes = [&](Index, std::uint32_t row)
                        __attribute__((always_inline)) -> Index { return route.goes_left[column[row]]; };
  return deal_rows(rows, first, count, left, right, goes);
}

Index mark(const std::uint8_t* column, const std::uint32_t* rows, Index first, Index count, const Route& route,
           Marks* marks) noexcept {
  Index lefts = 0;
  for (Index start = 0; start < count; start += tree::kMarkedRows) {
    const Index size = count - start < tree::kMarkedRows ? count - start : tree::kMarkedRows;
    unsigned word = 0;
    for (Index i = 0; i < size; ++i) {
      const Index row = rows != nullptr ? static_cast<Index>(rows[start + i]) : first + start + i;
      word |= static_cast<unsigned>(route.goes_left[column[row]]) << i;
    }
    marks[start / tree::kMarkedRows] = static_cast<Marks>(word);
    lefts += __builtin_popcount(word);
  }
  return lefts;
}

void partition_marked(const std::uint32_t* rows, Index first, Index count, const Marks* marks, std::uint32_t* left,
                      std::uint32_t* right) noexcept {
  const auto goes = [&](Index i, std::uint32_t) __attribute__((always_inline)) -> Index {
    return (marks[i / tree::kMarkedRows] >> (i % tree::kMarkedRows)) & 1;
  };
  deal_rows(rows, first, count, left, right, goes);
}
#endif

void gather_sums(const float* g, const float* h, const std::uint32_t* rows, Index first, Index count,
                 double* sums) noexcept {
  // Four partial sums each: fixed by position, so the same at every level.
  double gs[4] = {}, hs[4] = {};
  for (Index i = 0; i < count; ++i) {
    const Index row = rows != nullptr ? static_cast<Index>(rows[i]) : first + i;
    gs[i & 3] += static_cast<double>(g[row]);
    if (h != nullptr) hs[i & 3] += static_cast<double>(h[row]);
  }
  sums[0] = (gs[0] + gs[1]) + (gs[2] + gs[3]);
  sums[1] = (hs[0] + hs[1]) + (hs[2] + hs[3]);
}

void add_value(double* raw, const std::uint32_t* rows, Index first, Index count, double value) noexcept {
  if (rows != nullptr)
    for (Index i = 0; i < count; ++i) raw[rows[i]] += value;
  else
    for (Index i = 0; i < count; ++i) raw[first + i] += value;
}

const tree::TreeKernels kKernels = {bounds,           quantise,    accumulate, spill,     add,
                                    subtract,         scan_split,  scan_cells, partition, mark,
                                    partition_marked, gather_sums, add_value};

}  // namespace

const tree::TreeKernels& tree_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE

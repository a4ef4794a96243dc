// Results with a row for each observation.
#pragma once
#include "mlcore/hmm/model.hpp"
#include "mlcore/runtime/memory.hpp"
#include "mlcore/runtime/scratch.hpp"

namespace mlcore::hmm {

/// rows x cols for what is written in every row of a sequence: zeros only where some row is in none.
template <class T>
runtime::Scratch<T> rows_of_sequences(const Sequences& sequences, Index rows, Index cols) {
  runtime::Scratch<T> out({rows, cols});
  const auto& offsets = sequences.offsets;
  if (offsets.size == 0 || offsets[0] != 0 || offsets[offsets.size - 1] != rows)
    out.fill_zero();
  else if (out.bytes() > runtime::kKeptBytes)
    runtime::prefer_huge_pages(out.data(), out.bytes());
  return out;
}

}  // namespace mlcore::hmm

// Time-parallel inference: what the segments of a long sequence start from.
//
// A chain forgets its past: from two different starts the filtered distributions approach each other (their distance in
// Hilbert's projective metric never grows, and shrinks at every step whose transitions and likelihoods mix the states).
// So a segment first runs over some rows before its cut from equal probabilities, likewise backwards behind its end,
// and all segments are done side by side. That guess is then checked: where it does not agree with what the neighbour
// arrived at, everything is done again from the true distributions, found by a scan or by going through the segments
// one after another. As distances never grow, agreement to 1e-12 bounds the error of everything computed from the
// guess.
//
// Reference: R. Atar, O. Zeitouni, "Exponential stability for nonlinear filtering", Ann. Inst. H. Poincare 33 (1997).
#pragma once
#include "hmm/worker.hpp"

namespace mlcore::hmm {

/// Where the distributions at the cuts come from, in the order in which they are tried.
enum class EndsFrom { kGuess, kScan, kOrder };

/// Fills ends.alpha (and ends.beta if `both`) by the cheapest means that looks good enough and says by which.
EndsFrom find_ends(const Job& job, const Layout& layout, bool both, Workers& workers, runtime::Team& team, Ends& ends,
                   std::vector<unsigned char>& lost);
/// By the next better means. Lanes that probability space cannot hold are marked in `lost`.
EndsFrom find_better_ends(EndsFrom source, const Job& job, const Layout& layout, bool both, Workers& workers,
                          runtime::Team& team, Ends& ends, std::vector<unsigned char>& lost);
/// Whether the segments arrived where their neighbours had started.
bool ends_agree(EndsFrom source, const Job& job, const Layout& layout, bool both, const Ends& ends);

}  // namespace mlcore::hmm

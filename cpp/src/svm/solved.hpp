// Solutions of single problems, and the check of a float32 solution in float64.
#pragma once
#include <vector>

#include "mlcore/svm/machine.hpp"
#include "svm/dual.hpp"
#include "svm/kernel_rows.hpp"

namespace mlcore::svm {

/// Multiplier of one slot.
struct Multiplier {
  Index slot = 0;
  double value = 0.0;
};

struct Solved {
  std::vector<Multiplier> multipliers;  ///< those that are not zero, by slot
  std::vector<Multiplier> samples;      ///< K beta of some free slots, to be checked in float64
  SmoReport report;
  Index at_bound = 0;  ///< multipliers at their upper bound
  double rho = 0.0;
  double gap = 0.0;
  double scale = 1.0;  ///< what the multipliers were divided by
};

inline constexpr double kSingleTolerance = 1e-5;   // below this float32 need not be tried
inline constexpr double kErrorOfTolerance = 0.25;  // more than this, and the fit is done in float64

using Deadline = std::chrono::steady_clock::time_point;

/// When a fit that starts now has to end.
Deadline deadline_of(const MachineSpec& spec);

SmoSettings settings_of(const MachineSpec& spec, Deadline deadline, std::atomic<bool>* stop);

/// Place in `start_support` of each of `rows` rows, or -1; checks that the start can belong to the data.
std::vector<Index> places_of_start(const MachineSpec& spec, Index rows, Index coef_rows);

/// Takes the solution over, divided by `scale`.
template <class T>
void collect(const DualProblem<T>& problem, double scale, Solved& solved);

/// Largest error of the gradients that the float32 solver ended with, on samples of free support vectors, in the units
/// of the tolerance. `rows`: row number of each slot.
template <class View>
double gradient_error(const View& x, const Buffer<Index>& rows, const KernelFunction& kernel, const RowLayout& layout,
                      const std::vector<Solved>& results, int threads);

}  // namespace mlcore::svm

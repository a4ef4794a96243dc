// Array forms of the functions of num/vector_math.hpp.
#include "elementwise.kernels.hpp"
#include "mlcore/num/vector_math.hpp"

namespace mlcore::MLCORE_ISA_NAMESPACE {

namespace {

#define MLCORE_FUNCTOR(Name, function)                     \
  struct Name {                                            \
    template <class T>                                     \
    static MLCORE_INLINE Vec<T> apply(Vec<T> x) noexcept { \
      return function<T>(x);                               \
    }                                                      \
  };
MLCORE_FUNCTOR(Exp, exp)
MLCORE_FUNCTOR(Expm1, expm1)
MLCORE_FUNCTOR(Log, log)
MLCORE_FUNCTOR(Log1p, log1p)
MLCORE_FUNCTOR(Tanh, tanh)
MLCORE_FUNCTOR(Sigmoid, sigmoid)
MLCORE_FUNCTOR(ExpFlushed, exp_flushed)
#undef MLCORE_FUNCTOR

// The rest of the array goes through a padded vector and the same code, so that no element's bits depend on its place.
template <class Function, class T>
void map(const T* x, T* y, Index n) noexcept {
  constexpr Index kLane = kLanes<T>;
  Index i = 0;
  for (; i + kLane <= n; i += kLane) store(y + i, Function::template apply<T>(load(x + i)));
  if (i == n) return;
  Vec<T> rest{};
  for (Index j = 0; j < n - i; ++j) rest[j] = x[i + j];
  rest = Function::template apply<T>(rest);
  for (Index j = 0; j < n - i; ++j) y[i + j] = rest[j];
}

const num::ElementwiseKernels kKernels = {{map<Exp, float>, map<Expm1, float>, map<Log, float>, map<Log1p, float>,
                                           map<Tanh, float>, map<Sigmoid, float>, map<ExpFlushed, float>},
                                          {map<Exp, double>, map<Expm1, double>, map<Log, double>, map<Log1p, double>,
                                           map<Tanh, double>, map<Sigmoid, double>, map<ExpFlushed, double>}};

}  // namespace

const num::ElementwiseKernels& elementwise_kernels() noexcept { return kKernels; }

}  // namespace mlcore::MLCORE_ISA_NAMESPACE

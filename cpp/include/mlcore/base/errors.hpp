// Errors of the core. Bad arguments are std::invalid_argument (-> ValueError), sizes std::length_error (->
// MemoryError).
#pragma once
#include <exception>
#include <stdexcept>
#include <string>

namespace mlcore {

/// A poll said that the user wants to stop (Ctrl-C); the binding re-raises the pending Python exception.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

inline void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

}  // namespace mlcore

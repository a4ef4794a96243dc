// Memory that survives the call: an iteration asks for the same megabytes as the one before, a caller for results of
// the same size again and again, and fresh pages cost more than fast work over short data (the kernel clears them one
// fault at a time: 0.5 ms for 2 MB on the reference machine).
#pragma once
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "mlcore/base/sizes.hpp"
#include "mlcore/base/types.hpp"

namespace mlcore::runtime {

/// At most this much is kept for the next call; what is returned beyond is freed.
inline constexpr Index kKeptBytes = Index{16} << 20;

/// 64-byte aligned memory of a size class, from those returned before or new. Throws std::bad_alloc.
void* take_scratch(Index bytes);
void return_scratch(void* memory, Index bytes) noexcept;

/// Uninitialised array of a plain type in such memory.
template <class T>
class Scratch {
  static_assert(std::is_trivially_copyable_v<T>, "Scratch holds plain data only");

 public:
  Scratch() = default;
  explicit Scratch(std::initializer_list<Index> sizes) : size_(checked_product(sizes)) {
    if (size_ > 0) data_ = static_cast<T*>(take_scratch(bytes()));
  }
  Scratch(Scratch&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Scratch() {
    if (data_ != nullptr) return_scratch(data_, bytes());
  }
  void fill_zero() noexcept {
    if (size_ > 0) std::memset(data_, 0, static_cast<std::size_t>(size_) * sizeof(T));
  }
  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  Index size() const noexcept { return size_; }
  Index bytes() const { return checked_product({size_, static_cast<Index>(sizeof(T))}); }
  T& operator[](Index i) noexcept { return data_[i]; }
  const T& operator[](Index i) const noexcept { return data_[i]; }

 private:
  T* data_ = nullptr;
  Index size_ = 0;
};

}  // namespace mlcore::runtime

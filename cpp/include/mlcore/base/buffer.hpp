// Owned, 64-byte aligned, uninitialised or zeroed array of a plain type.
#pragma once
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "mlcore/base/sizes.hpp"
#include "mlcore/base/types.hpp"

namespace mlcore {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "Buffer holds plain data only");

 public:
  Buffer() = default;
  /// Uninitialised memory for the product of `sizes` elements.
  explicit Buffer(std::initializer_list<Index> sizes) : Buffer(checked_product(sizes)) {}
  explicit Buffer(Index size) : size_(size) {
    if (size <= 0) return;
    const Index bytes = checked_product({size, static_cast<Index>(sizeof(T))});
    data_.reset(static_cast<T*>(
        ::operator new(static_cast<std::size_t>(round_up(bytes, kCacheLine)), std::align_val_t{kCacheLine})));
  }
  static Buffer zeros(std::initializer_list<Index> sizes) {
    Buffer buffer(sizes);
    buffer.fill_zero();
    return buffer;
  }

  void fill_zero() noexcept {
    if (size_ > 0) std::memset(data_.get(), 0, static_cast<std::size_t>(size_) * sizeof(T));
  }
  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  Index size() const noexcept { return size_; }
  T& operator[](Index i) noexcept { return data_.get()[i]; }
  const T& operator[](Index i) const noexcept { return data_.get()[i]; }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + size_; }
  /// Hands the memory over; free it with Buffer<T>::release_memory.
  T* release() noexcept {
    size_ = 0;
    return data_.release();
  }
  static void release_memory(void* memory) noexcept { ::operator delete(memory, std::align_val_t{kCacheLine}); }

 private:
  struct Free {
    void operator()(T* memory) const noexcept { release_memory(memory); }
  };
  std::unique_ptr<T, Free> data_;
  Index size_ = 0;
};

}  // namespace mlcore

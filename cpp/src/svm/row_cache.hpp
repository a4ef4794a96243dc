// Kernel rows kept between the rounds of the blocked solver, within a budget of bytes.
//
// A row is worth keeping while its multiplier still moves: when there is no place left, the rows of multipliers at a
// bound go first, and among equals the one that was not used for the longest time.
#pragma once
#include <algorithm>
#include <vector>

#include "mlcore/base/buffer.hpp"
#include "mlcore/base/sizes.hpp"

namespace mlcore::svm {

template <class T>
class RowCache {
 public:
  /// At most `budget` bytes; nothing is kept when that is less than a few rows.
  explicit RowCache(double budget) : budget_(budget) {}

  /// Forgets everything; rows have `length` values from now on.
  void reset(Index length) {
    length_ = length;
    const double rows = budget_ / (static_cast<double>(length) * sizeof(T));
    capacity_ = rows < kFewest ? 0 : static_cast<Index>(std::min(rows, static_cast<double>(length)));
    if (capacity_ > 0 && storage_.size() < capacity_ * length) storage_ = Buffer<T>({capacity_, length});
    place_.assign(static_cast<std::size_t>(length), -1);
    entries_.clear();
  }

  /// The row of a position, or null.
  T* find(Index position) noexcept {
    const Index place = place_[static_cast<std::size_t>(position)];
    return place < 0 ? nullptr : storage_.data() + place * length_;
  }
  void touch(Index position, Index round) noexcept {
    entries_[static_cast<std::size_t>(place_[static_cast<std::size_t>(position)])].used = round;
  }

  /// Places for some of `positions`, which have none: as many as can be had without a row that was used in this round.
  /// Afterwards find() knows them. at_bound(position) says what is hardly needed any more.
  template <class AtBound>
  void take(const std::vector<Index>& positions, Index round, AtBound&& at_bound) {
    std::size_t next = 0;
    while (next < positions.size() && static_cast<Index>(entries_.size()) < capacity_) {
      place_[static_cast<std::size_t>(positions[next])] = static_cast<Index>(entries_.size());
      entries_.push_back({positions[next++], round});
    }
    if (next == positions.size() || capacity_ == 0) return;
    std::vector<Victim> victims;
    for (std::size_t place = 0; place < entries_.size(); ++place)
      if (entries_[place].used < round)
        victims.push_back({!at_bound(entries_[place].position), entries_[place].used, static_cast<Index>(place)});
    const std::size_t wanted = std::min(victims.size(), positions.size() - next);
    std::partial_sort(victims.begin(), victims.begin() + static_cast<std::ptrdiff_t>(wanted), victims.end());
    for (std::size_t v = 0; v < wanted; ++v) {
      Entry& entry = entries_[static_cast<std::size_t>(victims[v].place)];
      place_[static_cast<std::size_t>(entry.position)] = -1;
      entry = {positions[next], round};
      place_[static_cast<std::size_t>(positions[next++])] = victims[v].place;
    }
  }

  /// Keeps only columns and rows of the positions `kept`, ascending (-1: a column of padding); their numbers become
  /// 0, 1, ...
  void restrict_to(const std::vector<Index>& kept) {
    std::vector<Index> number(static_cast<std::size_t>(length_), -1);
    for (std::size_t k = 0; k < kept.size(); ++k)
      if (kept[k] >= 0) number[static_cast<std::size_t>(kept[k])] = static_cast<Index>(k);
    const auto length = static_cast<Index>(kept.size());
    std::vector<Entry> entries;
    place_.assign(kept.size(), -1);
    for (std::size_t place = 0; place < entries_.size(); ++place) {
      const Index position = number[static_cast<std::size_t>(entries_[place].position)];
      if (position < 0) continue;
      const T* from = storage_.data() + static_cast<Index>(place) * length_;
      T* to = storage_.data() + static_cast<Index>(entries.size()) * length;
      for (Index k = 0; k < length; ++k) {
        const Index column = kept[static_cast<std::size_t>(k)];
        to[k] = column < 0 ? T(0) : from[column];
      }
      place_[static_cast<std::size_t>(position)] = static_cast<Index>(entries.size());
      entries.push_back({position, entries_[place].used});
    }
    entries_ = std::move(entries);
    length_ = length;
    capacity_ = length > 0 ? std::min(storage_.size() / length, length) : 0;
  }

 private:
  static constexpr double kFewest = 32.0;

  struct Entry {
    Index position = 0;
    Index used = 0;
  };
  struct Victim {
    bool moves = false;
    Index used = 0;
    Index place = 0;
    bool operator<(const Victim& other) const noexcept {
      if (moves != other.moves) return !moves;
      if (used != other.used) return used < other.used;
      return place < other.place;
    }
  };

  double budget_ = 0.0;
  Index length_ = 0;
  Index capacity_ = 0;
  Buffer<T> storage_;
  std::vector<Index> place_;  ///< of a position, or -1
  std::vector<Entry> entries_;
};

}  // namespace mlcore::svm

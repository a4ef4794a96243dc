// The runtime floor for the test suite: regions of a given size with given failures, barriers, polls.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "arrays.hpp"
#include "mlcore/runtime/interrupt.hpp"
#include "mlcore/runtime/parallel.hpp"
#include "mlcore/runtime/threads.hpp"

namespace mlcore::python {

namespace {
using runtime::Team;
using Items = std::vector<Index>;
using Clock = std::chrono::steady_clock;

bool contains(const Items& items, Index item) { return std::find(items.begin(), items.end(), item) != items.end(); }

void work_for(double microseconds) {
  const auto until = Clock::now() + std::chrono::duration<double, std::micro>(microseconds);
  while (Clock::now() < until) {
  }
}

[[noreturn]] void fail(const std::string& place, Index item) {
  throw std::runtime_error(place + " " + std::to_string(item));
}

std::vector<int> plain(const std::vector<std::atomic<int>>& counts) { return {counts.begin(), counts.end()}; }

// How often each block ran. Blocks in `failing` throw "block <number>".
std::vector<int> run_parallel_for(Index blocks, int threads, const Items& failing, double work_us) {
  std::vector<std::atomic<int>> runs(static_cast<std::size_t>(std::max<Index>(blocks, 0)));
  runtime::parallel_for(blocks, threads, [&](Index block) {
    work_for(work_us);
    runs[static_cast<std::size_t>(block)].fetch_add(1);
    if (contains(failing, block)) fail("block", block);
  });
  return plain(runs);
}

// Sum of all values and of their squares, in blocks of `block_rows`: the rounding depends on the order of the
// additions.
std::pair<double, double> run_reduce_ordered(const Array<double>& values, Index block_rows, int threads,
                                             const Items& failing) {
  const VectorView<const double> x = vector_view(values, "values");
  using Sums = std::pair<double, double>;
  GilRelease release;
  return runtime::reduce_ordered(
      ceil_div(x.size, block_rows), threads, Sums{0.0, 0.0},
      [&](Index block, Sums& sums) {
        if (contains(failing, block)) fail("block", block);
        for (Index i = block * block_rows; i < std::min(x.size, (block + 1) * block_rows); ++i) {
          sums.first += x[i];
          sums.second += x[i] * x[i];
        }
      },
      [](Sums& result, const Sums& sums) {
        result.first += sums.first;
        result.second += sums.second;
      });
}

struct TeamReport {
  std::vector<int> entered;  // blocks, and `once`, that ran in each round
  int begun = 0;             // rounds
  int size = 0;
  std::string error;  // of the exception that left the team
};

// `rounds` rounds of for_each(blocks) and once. Fails in (round, block) pairs and in `once` of given rounds.
TeamReport run_team(int threads, int rounds, Index blocks, const std::vector<std::pair<int, Index>>& failing_blocks,
                    const std::vector<int>& failing_once, double work_us) {
  std::vector<std::atomic<int>> entered(static_cast<std::size_t>(2 * rounds));
  TeamReport report;
  const auto in = [](const auto& list, const auto& item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  try {
    runtime::parallel_team(threads, [&](Team& team) {
      report.size = team.size();
      for (int round = 0; round < rounds; ++round) {
        ++report.begun;
        team.for_each(blocks, [&](Index block) {
          work_for(work_us);
          entered[static_cast<std::size_t>(2 * round)].fetch_add(1);
          if (in(failing_blocks, std::pair<int, Index>(round, block))) fail("block", block);
        });
        team.once([&] {
          entered[static_cast<std::size_t>(2 * round + 1)].fetch_add(1);
          if (in(failing_once, round)) fail("once", round);
        });
      }
    });
  } catch (const std::runtime_error& error) {
    report.error = error.what();
  }
  report.entered = plain(entered);
  return report;
}

// Many short phases, each reading what other blocks wrote in the one before, without any atomic: errors seen, must be
// 0. Counts too what only a wrong member number can bring about: two threads in one member's place.
Index run_phases(int threads, int rounds, Index blocks, int sleep_us) {
  std::vector<Index> values(static_cast<std::size_t>(blocks), 0), next(static_cast<std::size_t>(blocks), 0);
  std::vector<std::atomic<int>> places(static_cast<std::size_t>(std::max(threads, 1)));
  std::atomic<Index> wrong{0};
  runtime::parallel_team(threads, [&](Team& team) {
    if (team.member() != 0 || !team.is_leader()) wrong.fetch_add(1);
    for (Index round = 0; round < rounds; ++round) {
      team.for_each(blocks, [&](Index block) {
        const int member = team.member();
        if (member < 0 || member >= team.size() || places[static_cast<std::size_t>(member)].exchange(1) != 0)
          wrong.fetch_add(1);
        const Index neighbour = values[static_cast<std::size_t>((block + 1) % blocks)];
        if (neighbour != round) wrong.fetch_add(1);
        next[static_cast<std::size_t>(block)] = neighbour + 1;
        if (sleep_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(sleep_us));
        places[static_cast<std::size_t>(member)].store(0);
      });
      team.once([&] { values.swap(next); });
    }
  });
  for (Index value : values)
    if (value != rounds) wrong.fetch_add(1);
  return wrong.load();
}

struct Nested {
  std::vector<int> threads;  // resolve_threads inside each block
  std::vector<std::string> sources;
  std::vector<int> inner_sizes;   // size of a team of 4 asked for inside each block
  std::vector<Index> inner_sums;  // of a nested parallel_for over 100 blocks
};

Nested run_nested(int threads) {
  const auto slots = static_cast<std::size_t>(std::max(threads, 1));
  Nested nested{std::vector<int>(slots), std::vector<std::string>(slots), std::vector<int>(slots),
                std::vector<Index>(slots)};
  runtime::parallel_for(threads, threads, [&](Index block) {
    const auto m = static_cast<std::size_t>(block);
    const runtime::ThreadCount count = runtime::resolve_threads(4);
    nested.threads[m] = count.threads;
    nested.sources[m] = count.source;
    runtime::parallel_team(4, [&](Team& inner) { nested.inner_sizes[m] = inner.size(); });
    std::atomic<Index> sum{0};
    runtime::parallel_for(100, 4, [&](Index block) { sum.fetch_add(block); });
    nested.inner_sums[m] = sum.load();
  });
  return nested;
}

// Rounds of about 1 ms for `seconds`, polled the way fits do: by the leader between phases, or inside the blocks.
// Returns whether it came to its end.
bool run_polling(double seconds, int threads, bool inside_blocks) {
  GilRelease release;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  runtime::Interrupt interrupt;
  bool finished = false;
  runtime::parallel_team(threads, [&](Team& team) {
    while (!finished) {
      team.for_each(4, [&](Index) {
        work_for(1000.0 / 4);
        if (inside_blocks) interrupt.poll();
      });
      team.once([&] {
        if (!inside_blocks) interrupt.poll();
        finished = Clock::now() >= end;
      });
    }
  });
  return finished;
}

// Polls every millisecond on a thread of its own, with a poll object of the caller's, who keeps the GIL: it must not
// ask (it would wait for the GIL for ever). Returns the polls.
int run_foreign_poll(int times) {
  runtime::Interrupt interrupt;
  int polls = 0;
  std::thread stranger([&] {
    for (; polls < times; ++polls) {
      interrupt.poll();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  stranger.join();
  return polls;
}

// A Python callable in every block: its exception crosses threads and the region.
void call_in_blocks(Index blocks, int threads, const py::function& fn) {
  GilRelease release;
  runtime::parallel_for(blocks, threads, [&](Index block) { with_gil([&] { fn(block); }); });
}

// Seconds of `rounds` phases of `blocks` blocks of `work_us` each, in one region or in a region each.
double time_phases(int threads, int rounds, Index blocks, double work_us, bool one_region) {
  GilRelease release;
  const auto start = Clock::now();
  if (one_region)
    runtime::parallel_team(threads, [&](Team& team) {
      for (int round = 0; round < rounds; ++round) team.for_each(blocks, [&](Index) { work_for(work_us); });
    });
  else
    for (int round = 0; round < rounds; ++round)
      runtime::parallel_for(blocks, threads, [&](Index) { work_for(work_us); });
  return std::chrono::duration<double>(Clock::now() - start).count();
}
}  // namespace

void register_testing_runtime(py::module_& testing) {
  using Release = py::call_guard<GilRelease>;
  testing.def("parallel_for", &run_parallel_for, py::arg("blocks"), py::arg("threads"), py::arg("failing") = Items{},
              py::arg("work_us") = 0.0, Release());
  testing.def("reduce_ordered", &run_reduce_ordered, py::arg("values").noconvert(), py::arg("block_rows"),
              py::arg("threads"), py::arg("failing") = Items{});
  py::class_<TeamReport>(testing, "TeamReport")
      .def_readonly("entered", &TeamReport::entered)
      .def_readonly("begun", &TeamReport::begun)
      .def_readonly("size", &TeamReport::size)
      .def_readonly("error", &TeamReport::error);
  testing.def("team", &run_team, py::arg("threads"), py::arg("rounds"), py::arg("blocks"),
              py::arg("failing_blocks") = std::vector<std::pair<int, Index>>{},
              py::arg("failing_once") = std::vector<int>{}, py::arg("work_us") = 0.0, Release());
  testing.def("phases", &run_phases, py::arg("threads"), py::arg("rounds"), py::arg("blocks"), py::arg("sleep_us") = 0,
              Release());
  py::class_<Nested>(testing, "Nested")
      .def_readonly("threads", &Nested::threads)
      .def_readonly("sources", &Nested::sources)
      .def_readonly("inner_sizes", &Nested::inner_sizes)
      .def_readonly("inner_sums", &Nested::inner_sums);
  testing.def("nested", &run_nested, py::arg("threads"), Release());
  testing.def("polling", &run_polling, py::arg("seconds"), py::arg("threads"), py::arg("inside_blocks") = false);
  testing.def("foreign_poll", &run_foreign_poll, py::arg("times"));
  testing.def("call_in_blocks", &call_in_blocks, py::arg("blocks"), py::arg("threads"), py::arg("fn"));
  testing.def("time_phases", &time_phases, py::arg("threads"), py::arg("rounds"), py::arg("blocks"), py::arg("work_us"),
              py::arg("one_region"));
  testing.def("threads_for_work", &runtime::threads_for_work, py::arg("allowed"), py::arg("work_ns"));
  testing.def("thread_cap", &runtime::thread_cap);
}

}  // namespace mlcore::python

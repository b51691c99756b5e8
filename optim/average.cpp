#include "gradus/optim/average.h"

#include <utility>

#include "gradus/optim/epilogue.h"
#include "gradus/optim/optimizer.h"

namespace gradus::optim {

AverageGuard::AverageGuard(Optimizer& optimizer) : optimizer_(&optimizer) {
  optimizer.check_not_swapped("ema");
  averaged_ = optimizer.state().applied > optimizer.average_since_;
  if (averaged_) optimizer.exchange();
  optimizer.swapped_ = true;
  optimizer.exchanged_ = averaged_;
}

AverageGuard::AverageGuard(AverageGuard&& other) noexcept
    : optimizer_(std::exchange(other.optimizer_, nullptr)), averaged_(other.averaged_) {}

AverageGuard::~AverageGuard() {
  if (optimizer_ == nullptr) return;
  optimizer_->swapped_ = false;
  if (!averaged_) return;
  try {
    optimizer_->exchange();
  } catch (const std::exception& e) {  // a parameter was moved to another device inside the scope
    log_message({"ema: the averaged weights could not be taken out again: ", e.what()});
  }
}

LiveScope::LiveScope(Optimizer& optimizer)
    : optimizer_(optimizer), was_swapped_(std::exchange(optimizer.swapped_, false)) {
  if (was_swapped_ && optimizer.exchanged_) optimizer.exchange();
}

LiveScope::~LiveScope() {
  if (!was_swapped_) return;
  optimizer_.swapped_ = true;
  if (!optimizer_.exchanged_) return;
  try {
    optimizer_.exchange();
  } catch (const std::exception& e) {
    log_message({"ema: the averaged weights could not be put in again: ", e.what()});
  }
}

AverageGuard Optimizer::ema() {
  check(common_.ema_decay > 0, ErrorKind::argument, name_,
        ": ema() needs the option ema_decay, for example 0.999");
  return AverageGuard(*this);
}

void Optimizer::exchange() {
  fill_table();
  epilogue::exchange(table_, 0, segments_.device());
  segments_.written(Segments::Write::exchange);
}

void Optimizer::check_not_swapped(const char* what) const {
  check(!swapped_, ErrorKind::argument, name_, ": ", what,
        "() while the averaged weights are in place; end the scope of ema() first");
}

void Optimizer::track(const std::vector<Parameter>& buffers, bool copy_statistics) {
  check_not_swapped("track");
  if (common_.ema_decay == 0) return;
  std::vector<NewItem> items;
  for (const Parameter& b : buffers) {
    if (b.role == Role::power_iteration) continue;
    const bool averaged = b.role == Role::running_statistic && !copy_statistics &&
                          (b.dtype() == Dtype::f32 || b.dtype() == Dtype::f64);
    const std::uint32_t flags =
        averaged ? epilogue::Segment::average_only : epilogue::Segment::copy_only;
    items.push_back({b, 0, {}, flags, /*tracked=*/true});
  }
  segments_.add(std::move(items), 1);
}

void Optimizer::teach(const std::vector<Tensor>& teacher, Schedule coefficient) {
  std::vector<std::size_t> learners;
  for (std::size_t i = 0; i < items().size(); ++i) {
    if (!items()[i].tracked) learners.push_back(i);
  }
  check(teacher.size() == learners.size(), ErrorKind::argument, name_, ": teach: ", learners.size(),
        " parameters, ", teacher.size(), " teachers");
  for (std::size_t k = 0; k < learners.size(); ++k) {
    if (!teacher[k]) continue;
    const Item& item = items()[learners[k]];
    const Shape& shape = item.parameter.shape();
    check(teacher[k].shape() == shape && teacher[k].dtype() == item.weight_dtype() &&
              teacher[k].is_contiguous(),
          ErrorKind::shape, name_, ": teach: tensor ", static_cast<std::int64_t>(k), " has shape ",
          teacher[k].shape(), ", its parameter ", shape,
          " (dtypes must agree too, and it must be contiguous)");
    segments_.set_average(learners[k], 1, teacher[k]);
  }
  teacher_ = std::move(coefficient);
  ring_end_ = 0;
}

}  // namespace gradus::optim

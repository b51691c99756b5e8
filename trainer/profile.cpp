#include "gradus/trainer/profile.h"

#include <fmt/format.h>

#include "gradus/trainer/clock.h"

namespace gradus::trainer {

void Profile::begin_step(std::int64_t step) {
  step_ = step;
  began_ = now_seconds();
  recording_ = seen_ >= begin_ && seen_ < end_;
  current_profile = recording_ ? this : nullptr;
}

bool Profile::end_step(std::int64_t memory) {
  if (recording_) events_.push_back({nullptr, began_, now_seconds(), step_, memory});
  ++seen_;
  if (seen_ == first_) events_.clear();  // what was only warming up
  const bool closed = recording_ && seen_ == end_;
  if (seen_ >= end_) recording_ = false, current_profile = nullptr;
  return closed;
}

void Profile::range(const char* name, double begin, double end) {
  events_.push_back({name, begin, end, step_, 0});
}

std::string Profile::trace() const {
  double origin = events_.empty() ? 0 : events_.front().begin;
  for (const Event& event : events_) origin = std::min(origin, event.begin);
  const auto microseconds = [](double seconds) { return fmt::format("{:.3f}", seconds * 1e6); };
  std::string text =
      "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n"
      "{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"args\": {\"name\": "
      "\"training\"}}";
  for (const Event& event : events_) {
    const std::string name = event.name ? event.name : fmt::format("step {}", event.step);
    text += fmt::format(
        ",\n{{\"name\": \"{}\", \"ph\": \"X\", \"pid\": 1, \"tid\": 1, \"ts\": {}, \"dur\": {}, "
        "\"args\": {{\"step\": {}}}}}",
        name, microseconds(event.begin - origin), microseconds(event.end - event.begin),
        event.step);
    if (!event.name)
      text += fmt::format(
          ",\n{{\"name\": \"memory\", \"ph\": \"C\", \"pid\": 1, \"ts\": {}, \"args\": "
          "{{\"bytes\": "
          "{}}}}}",
          microseconds(event.end - origin), event.memory);
  }
  return text + "\n]}\n";
}

}  // namespace gradus::trainer

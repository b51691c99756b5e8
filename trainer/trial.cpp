#include "gradus/trainer/trial.h"

#include "gradus/trainer/log/json_line.h"

namespace gradus::trainer {

void ReportingTrial::report(std::int64_t step, double value) {
  JsonLine line;
  line.add("event", "report").add("trial", number_).add("step", step).add("value", value);
  out_(line.text() + "\n");
}

}  // namespace gradus::trainer

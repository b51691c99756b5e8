// What a lock file says: written and read as one line of JSON.
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>
#include <fstream>

#include "gradus/tensor/json.h"
#include "gradus/trainer/log/json_line.h"
#include "gradus/trainer/run/lock.h"

namespace gradus::trainer {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// Differs after every start of the machine; containers on one kernel share it, as they share
/// flock.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

std::string new_token() {
  std::array<unsigned char, 16> bytes{};
  check(getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
        ErrorKind::internal, "lock: no random bytes");
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm fields{};
  gmtime_r(&now, &fields);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text.data();
}

}  // namespace

Holder this_process(const Job& job) {
  Holder holder;
  holder.host = host_name();
  holder.boot = boot_id();
  holder.job = job.id;
  holder.token = new_token();
  holder.started = utc_now();
  holder.pid = getpid();
  holder.restarts = job.restarts;
  return holder;
}

std::string to_string(const Holder& holder) {
  std::string text = "process " + std::to_string(holder.pid);
  ((text += " on ") += holder.host) += ", since ";
  text += holder.started;
  if (!holder.job.empty()) ((text += " (job ") += holder.job) += ")";
  return text;
}

std::string holder_text(const Holder& holder) {
  return JsonLine()
      .add("host", holder.host)
      .add("pid", holder.pid)
      .add("boot", holder.boot)
      .add("job", holder.job)
      .add("restarts", holder.restarts)
      .add("started", holder.started)
      .add("token", holder.token)
      .add("finished", std::int64_t{holder.finished})
      .text();
}

std::optional<Holder> parse_holder(const std::string& text) {
  const std::optional<Json> json = Json::parse_if(text);
  if (!json) return {};
  const auto word = [&](const char* name) {
    const Json* const found = json->find(name);
    return found && found->is_string() ? found->string() : std::string();
  };
  const auto number = [&](const char* name) {
    const Json* const found = json->find(name);
    return found && found->is_integer() ? found->integer() : 0;
  };
  Holder holder;
  holder.host = word("host");
  holder.boot = word("boot");
  holder.job = word("job");
  holder.token = word("token");
  holder.started = word("started");
  holder.pid = number("pid");
  holder.restarts = number("restarts");
  holder.finished = number("finished") != 0;
  if (holder.token.empty()) return {};
  return holder;
}

}  // namespace gradus::trainer

// From exceptions to exit statuses: whose fault was it?
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <system_error>

#include "gradus/tensor/error.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/run/files.h"

namespace gradus::cli {
namespace {

enum Status { code = 1, input = 2, machine = 4 };

Status status_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::memory: return machine;
    case ErrorKind::internal: return code;
    default: return input;
  }
}

}  // namespace

int exit_status(std::string& text) {
  Status status = code;
  try {
    throw;
  } catch (const trainer::FileError& error) {
    text = error.what();
    status = error.environment() ? machine : input;
  } catch (const Error& error) {
    text = error.what();
    status = status_of(error);
  } catch (const std::bad_alloc&) {
    text = "out of memory";
    status = machine;
  } catch (const std::system_error& error) {  // a thread that cannot be started
    text = error.what();
    status = machine;
  } catch (const std::exception& error) {
    text = error.what();
  } catch (...) {
    text = "an exception of unknown type";
  }
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return status;
}

void print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0)
    throw trainer::FileError("write", "standard output", errno, true);
}

}  // namespace gradus::cli

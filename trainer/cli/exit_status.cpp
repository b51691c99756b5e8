// From exceptions to exit statuses: whose fault was it?
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>

#include "gradus/tensor/error.h"
#include "gradus/trainer/cli/commands.h"
#include "gradus/trainer/run/files.h"
#include "gradus/trainer/text.h"

namespace gradus::cli {
namespace {

enum Status { code = 1, input = 2, machine = 4 };

Status status_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::memory: return machine;
    // What the driver says (a device that fell off the bus, no memory of its own), or what a
    // program does with tensors of two devices.
    case ErrorKind::device:
      return std::string_view(error.what()).starts_with("cuda: ") ? machine : input;
    case ErrorKind::internal: return code;
    default: return input;
  }
}

}  // namespace

int exit_status(std::string& text) {
  Status status = code;
  try {
    throw;
  } catch (const FileError& error) {
    text = error.what();
    status = error.environment() ? machine : input;
  } catch (const Error& error) {
    text = error.what();
    status = status_of(error);
  } catch (const std::bad_alloc&) {
    text = "out of memory";
    status = machine;
  } catch (const std::filesystem::filesystem_error& error) {
    text = error.path1().string() + ": " + error.code().message();
    status = machine;
  } catch (const std::system_error& error) {
    const bool thread = error.code() == std::errc::resource_unavailable_try_again;
    text = (thread ? "cannot start a thread: " : "") + error.code().message();
    status = machine;
  } catch (const std::exception& error) {
    text = error.what();
  } catch (...) {
    text = "an exception of unknown type";
  }
  text = trainer::printable(text);
  return status;
}

void print(std::string_view text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return;
  if (errno == EPIPE) return;  // nobody reads any more (`| head`): no reason to stop training
  throw FileError("write", "standard output", errno, true);
}

}  // namespace gradus::cli

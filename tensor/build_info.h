// What this copy of the library is and whether this processor can run it.
#pragma once

#include <string>
#include <string_view>

namespace gradus {

/// "0.1.0", of the library that runs; GRADUS_VERSION is that of the header compiled against.
std::string_view version();

/// One line: version, commit (if built from a git checkout), compiler, flags, backends.
std::string build_info();

/// Name of an instruction set that this build uses and this processor lacks ("avx2"), nullptr if it
/// lacks none. Itself plain x86-64 code: a program calls it first, to say so and not die of SIGILL.
const char* missing_instruction_set() noexcept;

}  // namespace gradus

# Writes OUTPUT, a source file that holds the commit of ROOT; left alone while it says the same.
set(revision "")
if(EXISTS ${ROOT}/.git)
  find_program(git git)
  if(git)
    execute_process(COMMAND ${git} -C ${ROOT} describe --always --dirty --abbrev=12 --exclude=*
      OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
// Made by cmake/revision.cmake at every build.
namespace gradus {
extern const char* const revision;
const char* const revision = "@revision@";
}  // namespace gradus
]])

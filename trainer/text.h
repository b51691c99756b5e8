// Text that came from outside (file names, cells of a table, another library's words) made fit for
// a line on a terminal or in a log.
#pragma once

#include <string>
#include <string_view>

namespace gradus::trainer {

/// Length of the UTF-8 sequence at the beginning of a text that is not empty; 0 if it is not one.
std::size_t utf8_length(std::string_view text);
bool is_utf8(std::string_view text);

/// On one line and harmless: a line break and the blanks after it become one space, other control
/// characters and bytes that are no UTF-8 are written as \x1b.
std::string printable(std::string_view text);

}  // namespace gradus::trainer

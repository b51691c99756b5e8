# README's table of measurements is the one that bench/readme_table.py makes of the newest result.
find_program(python NAMES python3 REQUIRED)
execute_process(COMMAND ${python} ${ROOT}/bench/readme_table.py --check RESULT_VARIABLE status
  ERROR_VARIABLE output)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${output}")
endif()
